#include "backup/receive_base_backup.h"

#include <algorithm>
#include <filesystem>
#include <vector>

#include "base/durable.h"
#include "base/error.h"
#include "replication/system_identity.h"

namespace barman::backup {
namespace fs = std::filesystem;
namespace {

constexpr mode_t kPrivateDirectory = 0700;
constexpr int kFirstVersionWithEndBlocks = 150000;

void recreate_directory(const fs::path& path) {
  remove_tree(path);
  make_directories(path.parent_path());
  make_directories(path, kPrivateDirectory);
}

// Tablespaces that the server no longer has.
void remove_old_tablespaces(const fs::path& backup_directory) {
  std::vector<fs::path> old;
  if (!fs::is_directory(backup_directory)) return;
  for (const fs::directory_entry& entry : fs::directory_iterator(backup_directory)) {
    const std::string name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") == std::string::npos) old.push_back(entry.path());
  }
  for (const fs::path& path : old) remove_tree(path);
}

}  // namespace

ReceivedBaseBackup receive_base_backup(postgres::Connection& connection,
                                       const replication::BaseBackupRequest& request,
                                       const BaseBackupTarget& target,
                                       const BaseBackupEvents& events, Progress& progress,
                                       const Interrupt& interrupt) {
  recreate_directory(target.directories.data_directory);
  remove_old_tablespaces(target.directories.data_directory.parent_path());
  ExpectedBackup expected = {.system_id = replication::identify_system(connection).system_id,
                             .archive_end = connection.server_version() < kFirstVersionWithEndBlocks
                                                ? pipeline::TarEnd::optional
                                                : pipeline::TarEnd::required};
  replication::BaseBackupStream stream(connection, request, interrupt);
  ReceivedBaseBackup result;
  result.begin = stream.begin();
  expected.begin = result.begin;
  if (events.on_begin) events.on_begin(result.begin);
  std::uint64_t estimated_bytes = 0;
  for (const replication::BackupArchive& archive : result.begin.archives) {
    estimated_bytes += archive.size_bytes.value_or(0);
    if (!archive.is_base() && !archive.is_in_place())
      recreate_directory(target.directories.tablespace_directory(archive.oid));
  }

  progress.begin("backup", estimated_bytes);
  BaseBackupReceiver receiver(target, expected, events.on_notice, progress);
  result.end = stream.receive(receiver);
  result.backup_label = receiver.finish(result.end);
  sync_directory(target.directories.data_directory.parent_path());
  progress.end();
  result.transfer_seconds = receiver.transfer_seconds();
  result.warnings = receiver.warnings();
  return result;
}

}  // namespace barman::backup
