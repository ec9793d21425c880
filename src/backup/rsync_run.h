// Runs rsync here, which gets files from a host through the user's ssh command. Nothing but rsync
// is run there, so that keys restricted to it (rrsync) do.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "backup/rsync_output.h"
#include "base/fd.h"
#include "base/throttle.h"
#include "host/ssh_words.h"

namespace barman::backup {

// The options that ssh gets behind those of the user, for every use of ssh_command.
inline constexpr const char* kSshOptions = "-o BatchMode=yes -o StrictHostKeyChecking=no";

// Names of files, each with a zero byte behind it, as `--files-from` reads them. Lies in a file
// without a name: there may be millions.
class NameList {
 public:
  // In that directory.
  explicit NameList(const std::filesystem::path& directory);

  void add(std::string_view name, std::uint64_t size_bytes);
  std::uint64_t count() const { return count_; }
  std::uint64_t size_bytes() const { return size_bytes_; }
  void for_each(const std::function<void(const std::string& name)>& action);
  // To be read from its beginning on.
  int rewind();

 private:
  void flush();

  std::filesystem::path directory_;
  Fd file_;
  std::string buffer_;
  std::uint64_t count_ = 0;
  std::uint64_t size_bytes_ = 0;
};

// One run that gets these files.
struct RsyncTransfer {
  // There, and here.
  std::string source;
  std::filesystem::path destination;
  // Options: --link-dest, --checksum.
  std::vector<std::string> options = {};
  TransferLimit limit = {};
  // There may be files from an attempt that has failed.
  bool is_repeated = false;
  // About how much will come.
  std::uint64_t sent_bytes = 0;
};

class RsyncRun {
 public:
  // `require_going_on` is called every moment, from all threads; what it throws ends the runs.
  RsyncRun(std::string ssh_command, bool is_compressed, std::function<void()> require_going_on,
           host::SshWords words = {});

  using OnFile = std::function<void(const ReportedFile&)>;
  // Returns when all of them are here, but for those that are not there any more. Throws Error.
  void get(NameList& names, const RsyncTransfer& transfer, const OnFile& on_file);
  // Everything below a directory there, in an order in which directories come before what is in
  // them.
  void list(const std::string& source, const std::vector<std::string>& options,
            const std::function<void(const ListedFile&)>& on_file);
  RsyncPlaces places() const;
  // Links there that lead nowhere, of all that was asked for so far.
  std::vector<std::string> dead_links();
  // All that run, and those to come, end with an error.
  void end_all() { is_ended_ = true; }

 private:
  void look() const;

  static void remove_shared(NameList& names, const std::filesystem::path& destination);

  using OnLine = std::function<void(std::string_view line)>;
  // `ssh_words` go to ssh behind the user's.
  RsyncVerdict run(const std::string& ssh_words, const std::vector<std::string>& options,
                   const std::vector<std::string>& paths, int input, const OnLine& on_line);

  const std::string ssh_command_;
  const host::SshWords words_;
  const bool is_compressed_;
  const std::function<void()> require_going_on_;
  std::atomic<bool> is_ended_ = false;
  std::mutex noise_mutex_;
  std::set<std::string> noise_;
  std::set<std::string> dead_links_;
};

}  // namespace barman::backup
