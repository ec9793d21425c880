// The WAL that a backup needs to become consistent: is it archived, and would PostgreSQL replay it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "catalogue/backup_info.h"
#include "server/server.h"

namespace barman::verify {

struct VerifyFinding {
  // A path relative to the data directory, or the name of a WAL file.
  std::string object;
  // The whole sentence, naming the object.
  std::string text;
};

// Whether a failure to read something tells about what is stored. A passphrase that is wrong, a key
// or a program that is not there tell nothing: the question could not be asked.
bool is_finding(const Error& error);

struct WalVerdict {
  std::uint64_t wal_count = 0;
  std::uint64_t record_count = 0;
  std::vector<VerifyFinding> findings;
};

// Of the cluster that it is a backup of.
std::optional<std::uint64_t> find_system_id(const catalogue::BackupInfo& backup);

// Of the server that wrote it, "17".
std::optional<int> find_server_major(const catalogue::BackupInfo& backup);

// Reads the segments from begin_wal to end_wal, record by record. Only what is archived is judged
// while the backup waits for WAL.
WalVerdict verify_required_wal(const server::Server& server, const catalogue::BackupInfo& backup);

}  // namespace barman::verify
