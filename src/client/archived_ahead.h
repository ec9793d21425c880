// What `barman-wal-archive --parallel` has archived, and is about to archive, before PostgreSQL
// asked for it: one small file in a directory of the user. The process that sends ahead writes it.
// An answer from it is given only for a file whose content is the one that was stored at the same
// place, so that nothing is believed because of its name alone: not after initdb, a restore or a
// return to an older timeline. The content is the same when its SHA-256 is, or when nobody has
// touched the very file since.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "base/fd.h"
#include "client/remote_barman.h"

namespace barman::client {

// What tells that a file has not been touched: inode, size and times. "" when it was changed so
// lately that the next change may not be seen in its times.
std::string untouched_state(const Fd& file, const std::filesystem::path& path);

struct SentFile {
  std::string sha256;
  // As it was before it was read.
  std::string state;
};

class ArchivedAhead {
 public:
  // Reads the file. What is damaged, older than an hour or of another place counts as nothing.
  // Throws when the directory is not safe: not a directory of this user, or writable by others. It
  // is created (0700) when it is missing.
  ArchivedAhead(std::filesystem::path directory, const RemoteBarman& barman)
      : ArchivedAhead(std::move(directory), barman.identity()) {}
  // `identity` says all of the place that they were sent to, in one line.
  ArchivedAhead(std::filesystem::path directory, std::string identity);

  // Whether this content is durable at the other side under that name.
  bool holds(const std::string& name, const Fd& file, const std::filesystem::path& path) const;
  // Whether it is being sent, as far as the process is alive.
  bool is_on_its_way(const std::string& name) const;

  // One that was sent.
  std::optional<SentFile> find(const std::string& name) const;

  void announce(const std::string& name) { sent_[name] = {}; }
  void add(const std::string& name, const SentFile& sent) { sent_[name] = sent; }
  void forget(const std::string& name) { sent_.erase(name); }
  void clear() { sent_.clear(); }
  // Replaces the file. One that is lost in a crash costs sending again, nothing else.
  void save() const;

  // "/tmp/barman-SERVER-HASH".
  static std::filesystem::path default_directory(const RemoteBarman& barman);
  // Of a place that `key` tells.
  static std::filesystem::path default_directory(const std::string& server, const std::string& key);

 private:
  std::filesystem::path path_;
  std::string identity_;
  // Without a SHA-256 while it is on its way.
  std::map<std::string, SentFile> sent_;
};

}  // namespace barman::client
