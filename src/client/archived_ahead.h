// What `barman-wal-archive --parallel` has archived before PostgreSQL asked for it: one small file
// in a directory of the user. An answer from it is given only for a file whose content is the one
// that was stored at the same place, so that nothing is believed because of its name alone: not
// after initdb, a restore or a return to an older timeline.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "base/fd.h"
#include "client/remote_barman.h"

namespace barman::client {

class ArchivedAhead {
 public:
  // Reads the file. What is damaged, older than an hour or of another place counts as nothing.
  // Throws when the directory is not safe: not a directory of this user, or writable by others. It
  // is created (0700) when it is missing.
  ArchivedAhead(std::filesystem::path directory, const RemoteBarman& barman);

  // Whether this content is durable at the other side under that name.
  bool holds(const std::string& name, const Fd& file, const std::filesystem::path& path) const;
  void add(const std::string& name, const std::string& sha256);
  // Forgets the names up to this one, in its order, and writes the file. A file that is lost later
  // costs sending again, nothing else.
  void save(const std::string& done_name);

  // "/tmp/barman-SERVER-HASH" (contract backup-and-wal.md 15).
  static std::filesystem::path default_directory(const RemoteBarman& barman);

 private:
  std::filesystem::path path_;
  std::string identity_;
  std::map<std::string, std::string> sha256_by_name_;
};

}  // namespace barman::client
