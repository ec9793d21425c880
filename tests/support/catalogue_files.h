// The files of a catalogue as a test sees them: read here in the plainest way, and not by the code
// that has written them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "support/barman_home.h"

namespace barman::test {

// The lines `key=value` of meta/<id>-backup.info.
using Fields = std::map<std::string, std::string>;
Fields read_backup_info(const BarmanHome& barman, const std::string& server,
                        const std::string& backup_id);
// base/<id>/backup.info of a full backup in clear must be that file without the keys at which
// Barman before 3.11 gives up: what is wrong with it, or "".
std::string problem_of_old_copy(const BarmanHome& barman, const std::string& server,
                                const std::string& backup_id, const std::filesystem::path& copy);

struct IndexedWal {
  std::string name;
  std::int64_t size_bytes = 0;
  std::string mtime;
  std::string compression;
  std::string encryption;
};
// The lines of wals/<server>-xlog.db, in order.
std::vector<IndexedWal> read_wal_index(const BarmanHome& barman, const std::string& server);
// Where a WAL file with that name belongs.
std::filesystem::path archived_wal(const BarmanHome& barman, const std::string& server,
                                   const std::string& name);
// Names of the files below wals/ without the index, sorted.
std::vector<std::string> archived_wal_names(const BarmanHome& barman, const std::string& server);

// A WAL segment of 1 MiB without records: the header that its name asks for, then `content`, then
// zeroes.
std::string wal_segment(const std::string& name, const std::string& content);

}  // namespace barman::test
