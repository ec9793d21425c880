// Copies the files of a running cluster from another host into a backup, by rsync.
//
// Each tree is listed first: directories are made, and its files are dealt into lists, several for
// several workers. With references, the same tree of earlier backups, rsync takes what has not
// changed from there. It believes size and time (to the nanosecond) of files that were last changed
// before the horizon of the reference, a moment before that was begun; files that were changed
// later, or whose times are only the same second, are compared by checksum. Files come, go, grow
// and shrink meanwhile: WAL puts that right. A file that cannot be read is an error.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <ctime>
#include <exception>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "backup/copy_steps.h"
#include "backup/page_check.h"
#include "backup/reference_backup.h"
#include "backup/rsync_run.h"
#include "base/file_system_sync.h"
#include "base/interrupt.h"
#include "base/progress.h"
#include "base/retry.h"
#include "base/throttle.h"
#include "config/server_config.h"

namespace barman::backup {

struct RsyncTree {
  std::string label;
  std::string source;  // there
  // Exists, and is empty.
  std::filesystem::path destination;
  // The best one first.
  std::vector<ReferenceTree> references;
  // Of paths below source; nothing below a path that is not copied is copied.
  std::function<bool(std::string_view path)> is_copied;
  // Of what need not be listed, in rsync's words: "--exclude=/pg_wal/*".
  std::vector<std::string> filters;
  // Of its files in the data directory: "" or "pg_tblspc/16384/".
  std::string prefix;
  TransferLimit limit;
};

struct RsyncCopyOptions {
  config::ReuseBackup reuse = config::ReuseBackup::off;
  std::size_t worker_count = 1;
  // rsync (3.2.5 and later) looks for each name that the other side tells among all that it was
  // asked for: what a run costs grows with the square of it. 5,000 cost 15 us of processor time a
  // file.
  std::uint64_t names_of_run = 5'000;
  // At most so many starts of rsync in so many seconds.
  std::int64_t batch_size = 10;
  std::chrono::seconds batch_period{1};
  RetryRules retries;
  FileChecks checks = {};
};

struct RsyncTreeTimes {
  std::string label;
  double analysis_seconds = 0;
  double copy_seconds = 0;
  double serial_seconds = 0;
  // Whether there was anything to copy, also at the end: of a file system that is not mounted any
  // more all files have gone.
  bool has_copied_names = false;
};

class RsyncCopy {
 public:
  // The list of a tree, its directories, its files compared by time, those compared by checksum.
  static constexpr std::size_t kStepsOfTree = 4;

  // `root` exists, and all destinations are below it. References must live longer.
  RsyncCopy(RsyncRun& run, const RsyncCopyOptions& options, const std::filesystem::path& root,
            CopySteps& steps, Progress& progress, const Interrupt& interrupt,
            std::function<void()> require_going_on);
  ~RsyncCopy();

  // Lists a tree; false when there is no such directory.
  bool list_tree(const RsyncTree& tree);
  // Copies everything that was listed.
  void copy_trees();
  const std::vector<RsyncTreeTimes>& times() const { return times_; }
  // One file of a directory there, in place of what may be here. False when there is none.
  bool copy_file(const std::string& source, const std::filesystem::path& destination);
  // Everything that was copied is durable when it returns.
  void make_durable();

  const PageDamageList& damage() const { return damage_; }

 private:
  struct Bucket;
  struct ListedTree;
  class Dealer;

  bool list(const RsyncTree& tree, ListedTree& listed);
  bool has_names_still(const RsyncTree& tree);
  struct Judged;
  Judged judge(const RsyncTree& tree, const ListedFile& file) const;
  void work(ListedTree& tree, Bucket& bucket);
  void copy_bucket(ListedTree& tree, Bucket& bucket);
  // By as many runs as it takes.
  void get(NameList& names, const RsyncTransfer& transfer, const RsyncRun::OnFile& on_file);
  void get_with_retries(NameList& names, const RsyncTransfer& transfer,
                        const RsyncRun::OnFile& on_file);
  void check_arrived(const ListedTree& tree, const std::string& name,
                     std::set<std::string>& suspects) const;
  void settle_pages(const ListedTree& tree, std::vector<std::string> suspects);
  void take_turn();

  RsyncRun& run_;
  const RsyncCopyOptions options_;
  const std::filesystem::path root_;
  const FileSystemSync file_system_;
  CopySteps& steps_;
  Progress& progress_;
  const Interrupt interrupt_;
  const std::function<void()> require_going_on_;
  std::vector<std::unique_ptr<ListedTree>> trees_;
  std::vector<RsyncTreeTimes> times_;
  std::atomic<bool> has_failed_ = false;
  std::exception_ptr failure_;
  std::mutex turn_mutex_;
  std::chrono::steady_clock::time_point batch_begun_{};
  std::int64_t started_in_batch_ = 0;
  PageDamageList damage_;
};

}  // namespace barman::backup
