// Whether a backup can fit, asked before it begins: a disk that a backup fills takes no WAL either.
// Only what certainly cannot fit is refused.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "backup/backup_source.h"
#include "base/file_system_space.h"
#include "catalogue/backup_info.h"
#include "server/server.h"

namespace barman::backup {

struct SpaceFacts {
  FileSystemSpace space;
  // Of the cluster now; nullopt when PostgreSQL has not told.
  std::optional<std::uint64_t> cluster_bytes;
  // Of the last full backup in the same form, as it is stored.
  std::optional<std::uint64_t> last_bytes;
  // Every file is stored in its size.
  bool is_plain = true;
  // Incremental, or shares files with earlier ones: what it needs is not known.
  bool is_partial = false;
};

enum class SpaceVerdict { fits, doubtful, impossible };
struct SpaceJudgement {
  SpaceVerdict verdict = SpaceVerdict::fits;
  // What it is expected to need.
  std::uint64_t needed_bytes = 0;
};

// Pure. Unlogged tables are counted by PostgreSQL and left out of backups, so the cluster alone
// proves it only when half of it is too much.
SpaceJudgement judge_space(const SpaceFacts& facts);

// Throws `conflict` for what cannot fit, warns of what may not. Opens a session for a moment;
// without an answer the backup tells why itself.
void require_space(const server::Server& server, const BackupRequest& request, Messages& messages);

// Some room on the disk of the metadata, so that the failure of a backup that has filled the
// disk can be recorded: a hidden file, which goes with this object, or before.
class ReservedRoom {
 public:
  ReservedRoom(const server::Server& server, const catalogue::BackupId& id);
  ReservedRoom(const ReservedRoom&) = delete;
  ReservedRoom& operator=(const ReservedRoom&) = delete;
  ~ReservedRoom() { free(); }
  void free();
  // Of a process that was killed.
  static void remove_left(const server::Server& server, const catalogue::BackupId& id);

 private:
  std::filesystem::path path_;
};

}  // namespace barman::backup
