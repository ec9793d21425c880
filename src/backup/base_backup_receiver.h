// Takes in what a server sends as a base backup, and says whether it is one. It is complete only
// when finish() returns: every archive had its end, the manifest is whole and of this cluster and
// this WAL, it lists each file that arrived once with the checksum of what arrived and nothing
// else, and the label says where the backup began. docs/decisions/0010.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/progress.h"
#include "postgres/backup_manifest.h"
#include "replication/backup_sequence.h"
#include "stored/arrival_ledger.h"
#include "stored/arrival_tap.h"
#include "stored/backup_writer.h"

namespace barman::backup {

// Called for each NOTICE of the server, in the thread of the visitor.
using NoticeHandler = std::function<void(const std::string&)>;

// What the backup is compared with.
struct ExpectedBackup {
  replication::BackupBegin begin;
  // Of the manifest, since PostgreSQL 17.
  std::optional<postgres::SystemId> system_id;
};

class BaseBackupReceiver final : public replication::BaseBackupVisitor,
                                 public postgres::ManifestVisitor {
 public:
  // All references must live longer.
  BaseBackupReceiver(stored::BackupWriter& writer, const ExpectedBackup& expected,
                     const NoticeHandler& on_notice, Progress& progress);

  void begin_archive(const replication::BackupArchive& archive) override;
  void write_archive(Bytes data) override;
  void end_archive() override;
  void begin_manifest() override;
  void write_manifest(Bytes data) override;
  void end_manifest() override;
  void on_notice(const std::string& text) override { on_notice_(text); }
  void on_warning(const std::string& text) override;

  static constexpr std::size_t kMaxWarnings = 10;
  // The first ones of the server.
  const std::vector<std::string>& warnings() const { return warnings_; }
  // From the first byte of the archives to the last one, so without any wait before and behind.
  double transfer_seconds() const;

  // Durable when it returns the content of backup_label. Throws `corrupt` when anything is missing.
  std::string finish(const replication::BackupEnd& end);

 private:
  using Clock = std::chrono::steady_clock;

  void on_version(int) override {}
  void on_system_id(postgres::SystemId system_id) override;
  void on_file(const postgres::ManifestFile& file) override { ledger_.confirm(file); }
  void on_wal_range(const postgres::ManifestWalRange& range) override;
  void require_wal_ranges(const replication::BackupEnd& end) const;
  void require_label() const;

  stored::BackupWriter& writer_;
  const ExpectedBackup& expected_;
  const NoticeHandler& on_notice_;
  stored::ArrivalLedger ledger_;
  std::string backup_label_;
  const stored::Arrivals arrivals_;
  pipeline::Sink* archive_ = nullptr;
  std::unique_ptr<pipeline::Sink> manifest_;
  std::unique_ptr<postgres::ManifestParser> parser_;
  bool has_manifest_ = false;  // complete
  bool begins_right_ = false;
  // Of the newest timeline.
  std::optional<postgres::ManifestWalRange> last_range_;
  std::vector<std::string> warnings_;
  std::optional<Clock::time_point> first_data_;
  Clock::time_point last_data_;
};

}  // namespace barman::backup
