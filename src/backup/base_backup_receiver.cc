#include "backup/base_backup_receiver.h"

#include <fmt/format.h>

#include "base/error.h"
#include "postgres/backup_label.h"

namespace barman::backup {
namespace {

[[noreturn]] void refuse(const std::string& reason) {
  throw Error(ErrorKind::corrupt, reason,
              "Take the backup again; if this repeats, look at what lies between the server and "
              "this host.");
}

std::string position(wal::TimelineId timeline, wal::Lsn lsn) {
  return fmt::format("{} on timeline {}", wal::format_lsn(lsn), timeline.value);
}

}  // namespace

BaseBackupReceiver::BaseBackupReceiver(stored::BackupWriter& writer, const ExpectedBackup& expected,
                                       const NoticeHandler& on_notice, Progress& progress)
    : writer_(writer),
      expected_(expected),
      on_notice_(on_notice),
      arrivals_{.ledger = ledger_,
                .progress = progress,
                .backup_label = backup_label_,
                .archives = expected.begin.archives} {}

void BaseBackupReceiver::begin_archive(const replication::BackupArchive& archive) {
  archive_ = &writer_.begin_stream(
      {.oid = archive.oid,
       .in_place_location = archive.is_in_place() ? archive.location : std::string()},
      [&](pipeline::TarVisitor& next) {
        return std::make_unique<stored::ArrivalTap>(stored::manifest_prefix(archive), arrivals_,
                                                    next);
      });
}

void BaseBackupReceiver::write_archive(Bytes data) {
  if (!first_data_) first_data_ = Clock::now();
  archive_->write(data);
  last_data_ = Clock::now();
}

double BaseBackupReceiver::transfer_seconds() const {
  return first_data_ ? std::chrono::duration<double>(last_data_ - *first_data_).count() : 0;
}

void BaseBackupReceiver::on_warning(const std::string& text) {
  if (warnings_.size() < kMaxWarnings) warnings_.push_back(text);
}

void BaseBackupReceiver::end_archive() { archive_->finish(); }

void BaseBackupReceiver::begin_manifest() {
  ledger_.seal();
  manifest_ = writer_.put_manifest();
  parser_ = std::make_unique<postgres::ManifestParser>(*this);
}

void BaseBackupReceiver::write_manifest(Bytes data) {
  manifest_->write(data);
  parser_->feed(data);
}

void BaseBackupReceiver::end_manifest() {
  parser_->finish();
  ledger_.finish();
  manifest_->finish();
  has_manifest_ = true;
}

void BaseBackupReceiver::on_system_id(postgres::SystemId system_id) {
  if (!expected_.system_id || *expected_.system_id == system_id) return;
  refuse(fmt::format("the backup manifest is of the cluster with system identifier {}, not {}",
                     postgres::format_system_id(system_id),
                     postgres::format_system_id(*expected_.system_id)));
}

void BaseBackupReceiver::on_wal_range(const postgres::ManifestWalRange& range) {
  if (!last_range_ || last_range_->timeline < range.timeline) last_range_ = range;
  begins_right_ = begins_right_ || (range.timeline == expected_.begin.timeline &&
                                    range.start == expected_.begin.lsn);
}

void BaseBackupReceiver::require_wal_ranges(const replication::BackupEnd& end) const {
  if (!begins_right_) {
    refuse(fmt::format("the WAL ranges of the backup manifest do not begin at {}",
                       position(expected_.begin.timeline, expected_.begin.lsn)));
  }
  if (last_range_->timeline != end.timeline || last_range_->end != end.lsn) {
    refuse(fmt::format("the WAL ranges of the backup manifest end at {}, the backup at {}",
                       position(last_range_->timeline, last_range_->end),
                       position(end.timeline, end.lsn)));
  }
}

void BaseBackupReceiver::require_label() const {
  if (backup_label_.empty()) refuse("the server sent no backup_label");
  const postgres::BackupLabel label =
      in_context("\"backup_label\"", [&] { return postgres::parse_backup_label(backup_label_); });
  if (label.start_wal_location == expected_.begin.lsn &&
      label.start_timeline == expected_.begin.timeline) {
    return;
  }
  refuse(fmt::format("backup_label says that the backup began at {}, the server said {}",
                     position(label.start_timeline, label.start_wal_location),
                     position(expected_.begin.timeline, expected_.begin.lsn)));
}

std::string BaseBackupReceiver::finish(const replication::BackupEnd& end) {
  if (!has_manifest_) refuse("the server sent no backup manifest");
  require_wal_ranges(end);
  require_label();
  writer_.make_durable();
  return backup_label_;
}

}  // namespace barman::backup
