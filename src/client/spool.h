// WAL files that `barman-wal-restore --parallel` has fetched before PostgreSQL asked for them:
// DIR/<server>-<hash>/<name>, one directory for each place they come from and each boot of this
// host. A file has its name only when it is complete; after a crash of the host, when that is
// doubtful, the directory is another one.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "client/remote_barman.h"

namespace barman::client {

// A file on its way into the spool; it goes away unless it was kept.
class SpooledFile {
 public:
  SpooledFile(const std::filesystem::path& directory, const std::string& name);
  SpooledFile(const SpooledFile&) = delete;
  SpooledFile& operator=(const SpooledFile&) = delete;
  ~SpooledFile();

  const Fd& file() const { return file_; }
  const std::filesystem::path& temporary_path() const { return temporary_; }
  void keep();

 private:
  std::filesystem::path path_;
  std::filesystem::path temporary_;
  Fd file_;
};

class Spool {
 public:
  // Creates the directories (one level above, too). Throws when they are not safe: of somebody else
  // (the one above may be root's), or writable by others.
  Spool(const std::filesystem::path& directory, const RemoteBarman& barman)
      : Spool(directory, barman.server, barman.identity()) {}
  // `identity` says all of the place they come from.
  Spool(const std::filesystem::path& directory, std::string_view server,
        const std::string& identity);

  // Absolute: what fills it in the background has another working directory.
  const std::filesystem::path& directory() const { return directory_; }
  std::filesystem::path lock_path() const { return directory_ / ".fetching"; }
  // Moves the file onto `destination`; false when it is not there. What is no WAL any more is
  // removed instead, and what is another cluster's than that of `system_id`, if that is known: two
  // clusters of this host may fetch from one place.
  bool take(const std::string& name, const std::filesystem::path& destination,
            std::optional<std::uint64_t> system_id = {}) const;
  bool is_on_its_way(const std::string& name) const;
  // Complete files, ascending.
  std::vector<std::string> list() const;
  // Removes the files before `name`, which PostgreSQL has behind it, and what ended processes left.
  void prune(const std::string& name) const;

  // Why the process in the background ended before its time: nobody sees what it says, so the next
  // call tells it. Keeping never fails: a full disk may be the reason itself.
  void keep_reason(const std::string& text) const;
  // Keeps what `work` throws, and lets it pass.
  void keep_reason_of(const std::function<void()>& work) const;
  // The sentence that tells it, "… <text> (at <time>)", once.
  std::optional<std::string> take_warning() const;

 private:
  std::filesystem::path directory_;
};

}  // namespace barman::client
