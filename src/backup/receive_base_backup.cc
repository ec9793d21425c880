#include "backup/receive_base_backup.h"

#include <chrono>
#include <memory>

#include "backup/arrival_ledger.h"
#include "base/durable.h"
#include "base/error.h"
#include "postgres/backup_manifest.h"

namespace barman::backup {
namespace {

constexpr mode_t kPrivateDirectory = 0700;

void recreate_directory(const std::filesystem::path& path) {
  remove_tree(path);
  make_directories(path.parent_path());
  make_directories(path, kPrivateDirectory);
}

class Receiver final : public replication::BaseBackupVisitor, public postgres::ManifestVisitor {
 public:
  Receiver(const BaseBackupTarget& target, const NoticeHandler& on_notice, Progress& progress)
      : data_directory_(target.directories.data_directory), on_notice_(on_notice) {
    const Arrivals arrivals{.ledger = ledger_, .progress = progress, .backup_label = backup_label_};
    target_ = target.format == StoredFormat::tar
                  ? make_tar_target(data_directory_, target.coding, arrivals)
                  : make_plain_target(target.directories, target.coding, arrivals);
  }

  void begin_archive(const replication::BackupArchive& archive) override {
    target_->begin_archive(archive);
  }
  void write_archive(Bytes data) override {
    if (!first_data_) first_data_ = Clock::now();
    target_->write(data);
    last_data_ = Clock::now();
  }
  void end_archive() override { target_->end_archive(); }

  void begin_manifest() override {
    ledger_.seal();
    manifest_file_ = std::make_unique<AtomicFile>(data_directory_ / "backup_manifest", 0600);
    parser_ = std::make_unique<postgres::ManifestParser>(*this);
  }
  void write_manifest(Bytes data) override {
    manifest_file_->write(data);
    parser_->feed(data);
  }
  void end_manifest() override {
    parser_->finish();
    ledger_.finish();
    manifest_file_->commit();
  }
  void on_notice(const std::string& text) override { on_notice_(text); }

  void make_durable() { target_->make_durable(); }
  const std::string& backup_label() const { return backup_label_; }
  double transfer_seconds() const {
    return first_data_ ? std::chrono::duration<double>(last_data_ - *first_data_).count() : 0;
  }

 private:
  using Clock = std::chrono::steady_clock;

  void on_version(int) override {}
  void on_system_id(postgres::SystemId) override {}
  void on_file(const postgres::ManifestFile& file) override { ledger_.confirm(file); }
  void on_wal_range(const postgres::ManifestWalRange&) override {}

  const std::filesystem::path data_directory_;
  const NoticeHandler& on_notice_;
  ArrivalLedger ledger_;
  std::string backup_label_;
  std::optional<Clock::time_point> first_data_;
  Clock::time_point last_data_;
  std::unique_ptr<ArchiveTarget> target_;
  std::unique_ptr<AtomicFile> manifest_file_;
  std::unique_ptr<postgres::ManifestParser> parser_;
};

}  // namespace

ReceivedBaseBackup receive_base_backup(postgres::Connection& connection,
                                       const replication::BaseBackupRequest& request,
                                       const BaseBackupTarget& target,
                                       const NoticeHandler& on_notice, Progress& progress,
                                       const Interrupt& interrupt) {
  recreate_directory(target.directories.data_directory);
  replication::BaseBackupStream stream(connection, request, interrupt);
  ReceivedBaseBackup result;
  result.begin = stream.begin();
  std::uint64_t estimated_bytes = 0;
  for (const replication::BackupArchive& archive : result.begin.archives) {
    estimated_bytes += archive.size_bytes.value_or(0);
    if (!archive.is_base() && !archive.is_in_place())
      recreate_directory(target.directories.tablespace_directory(archive.oid));
  }

  progress.begin("backup", estimated_bytes);
  Receiver receiver(target, on_notice, progress);
  result.end = stream.receive(receiver);
  receiver.make_durable();
  sync_directory(target.directories.data_directory.parent_path());
  progress.end();
  result.backup_label = receiver.backup_label();
  result.transfer_seconds = receiver.transfer_seconds();
  if (result.backup_label.empty()) {
    throw Error(ErrorKind::corrupt, "the server sent no backup_label", "Take the backup again.");
  }
  return result;
}

}  // namespace barman::backup
