// Copies the files of a running cluster, which lie on this host, into a backup.
//
// One thread walks through a tree, several copy. A file is shared with its source where the file
// system can (FICLONE), else copied inside the kernel, or through our hands where its bytes are
// looked at (page_check.h): a large one in blocks that other threads write past the page cache
// (pipeline/block_file.h). Symbolic links are followed, for what they lead to belongs to the
// backup. Files come, go, grow and shrink meanwhile: WAL puts that right. A file that cannot be
// read is an error.
//
// With references, the same tree of earlier backups, files that have not changed are second names
// of their files, or copied from there. Unchanged means: size, permissions and time of change are
// those of the file in the reference, and it was last touched before its `horizon`, a moment before
// the reference was begun; one that was touched later, or whose times are only the same second,
// counts as unchanged only when its content is the same.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <ctime>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backup/page_check.h"
#include "backup/reference_backup.h"
#include "base/digest.h"
#include "base/fd.h"
#include "base/file_system_sync.h"
#include "base/progress.h"
#include "base/throttle.h"
#include "base/worker_pool.h"
#include "config/server_config.h"
#include "pipeline/block_pool.h"

namespace barman::backup {

struct LocalTree {
  std::filesystem::path source;
  // Exists, and is empty but for what earlier calls have put there.
  std::filesystem::path destination;
  // The best one first.
  std::vector<ReferenceTree> references;
  // Of paths below source; nothing below a path that is not copied is looked at.
  std::function<bool(std::string_view path)> is_copied;
  // Of its files in the data directory: "" or "pg_tblspc/16384/".
  std::string prefix;
  TransferLimit bandwidth_limit;
};

struct LocalCopyOptions {
  config::ReuseBackup reuse = config::ReuseBackup::off;
  std::size_t worker_count = 2;
  FileChecks checks = {};
};

struct LocalCopyTimes {
  double total_seconds = 0;
  // All workers together.
  double serial_seconds = 0;
};

class LocalCopy {
 public:
  // `root` exists, and all destinations are below it. `require_going_on` is called often, from all
  // threads; what it throws ends the copy. References must live longer.
  LocalCopy(const LocalCopyOptions& options, const std::filesystem::path& root, Progress& progress,
            std::function<void()> require_going_on);

  // Returns when all files of the tree are there.
  LocalCopyTimes copy_tree(const LocalTree& tree);
  // Links that lead nowhere, of all trees so far.
  const std::vector<std::string>& dead_links() const { return dead_links_; }
  // One file, followed when it is a link. False when there is none of that name.
  bool copy_file(const std::filesystem::path& source, const std::filesystem::path& destination);
  // Everything that was copied is durable when it returns.
  void make_durable();

  const PageDamageList& damage() const { return damage_; }

 private:
  struct FileTask;
  struct Ending;
  class Walk;

  void copy_task(const FileTask& task);
  // The file of a reference that is the same.
  std::optional<std::filesystem::path> find_unchanged(const FileTask& task, const Fd& source,
                                                      const struct stat& status) const;
  bool is_unchanged(const FileTask& task, const Fd& source, const struct stat& status,
                    const ReferenceTree& reference, const std::filesystem::path& known_path) const;
  bool use_reference(const FileTask& task, const std::filesystem::path& reference,
                     const struct stat& status);
  void write_copy(const FileTask& task, const Fd& source, const struct stat& status);
  bool share(const Fd& source, const Fd& destination);
  bool copy_in_kernel(const FileTask& task, const Fd& source, const Fd& destination,
                      std::uint64_t size_bytes);
  void copy_small(const FileTask& task, const Fd& source, Fd& destination, std::size_t size_bytes,
                  const Ending& ending);
  void copy_in_blocks(const FileTask& task, const Fd& source, Fd destination,
                      std::uint64_t size_bytes, const Ending& ending);
  void finish(Fd& file, const Ending& ending, const std::string& sha256) const;
  Digest make_digest() const;
  bool is_looked_at(const FileTask& task) const;
  void look_at_clone(const FileTask& task, const Fd& source, const Fd& clone, Digest& digest);
  void look_at(const FileTask& task, const Fd& source, Bytes data, std::uint64_t offset,
               Digest& digest);
  void keep_rate(std::uint64_t size_bytes);

  const LocalCopyOptions options_;
  const FileSystemSync file_system_;
  Progress& progress_;
  const std::function<void()> require_going_on_;
  std::atomic<bool> can_share_ = true;
  // Of the tree that is being copied, when it has a limit.
  std::optional<Throttle> throttle_;
  std::atomic<std::int64_t> serial_ns_ = 0;
  // That one flush at the end does not cover.
  std::vector<std::filesystem::path> directories_;
  std::vector<std::string> dead_links_;
  PageDamageList damage_;
  std::shared_ptr<pipeline::BlockPool> blocks_;
};

}  // namespace barman::backup
