#include "backup/receive_base_backup.h"

#include <memory>

#include "postgres/versions.h"
#include "replication/system_identity.h"

namespace barman::backup {
namespace {

constexpr int kFirstVersionWithEndBlocks = postgres::kVersion15;

}  // namespace

ReceivedBaseBackup receive_base_backup(postgres::Connection& connection,
                                       const replication::BaseBackupRequest& request,
                                       const BaseBackupTarget& target,
                                       const BaseBackupEvents& events, Progress& progress,
                                       const Interrupt& interrupt) {
  target.store.clear(target.id);
  ExpectedBackup expected = {.system_id = replication::identify_system(connection).system_id};
  stored::WriterOptions options = {
      .form = target.form,
      .coding = target.coding,
      .stream_end = connection.server_version() < kFirstVersionWithEndBlocks
                        ? pipeline::TarEnd::optional
                        : pipeline::TarEnd::required,
      .bucket_form = target.bucket_form};
  replication::BaseBackupStream stream(connection, request, interrupt);
  ReceivedBaseBackup result;
  result.begin = stream.begin();
  expected.begin = result.begin;
  if (events.on_begin) events.on_begin(result.begin);
  std::uint64_t estimated_bytes = 0;
  for (const replication::BackupArchive& archive : result.begin.archives) {
    estimated_bytes += archive.size_bytes.value_or(0);
    if (!archive.is_base() && !archive.is_in_place()) options.tablespaces.push_back(archive.oid);
  }

  progress.begin("backup", estimated_bytes);
  const std::unique_ptr<stored::BackupWriter> writer = target.store.create(target.id, options);
  BaseBackupReceiver receiver(*writer, expected, events.on_notice, progress);
  result.end = stream.receive(receiver);
  result.backup_label = receiver.finish(result.end);
  progress.end();
  result.transfer_seconds = receiver.transfer_seconds();
  result.warnings = receiver.warnings();
  return result;
}

}  // namespace barman::backup
