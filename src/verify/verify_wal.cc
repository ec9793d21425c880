#include "verify/verify_wal.h"

#include <optional>

#include <fmt/format.h>

#include "base/error.h"
#include "base/text.h"
#include "catalogue/catalogue.h"
#include "postgres/system_id.h"
#include "postgres/versions.h"
#include "verify/checker_sink.h"
#include "wal/record_checker.h"
#include "wal_archive/wal_archive.h"

namespace barman::verify {
namespace fs = std::filesystem;

using catalogue::BackupInfo;

namespace {

class WalVerification {
 public:
  WalVerification(const server::Server& server, const BackupInfo& backup)
      : server_(server), backup_(backup) {}

  WalVerdict run() {
    const std::vector<std::string> names = wal_archive::required_segments(backup_);
    if (names.empty() || !backup_.begin_xlog || !backup_.end_xlog || !backup_.wal_timeline()) {
      verdict_.findings.push_back(
          {catalogue::kBackupInfo, "backup.info does not say which WAL the backup needs"});
      return std::move(verdict_);
    }
    wal::RecordChecker checker({.timeline = *backup_.wal_timeline(),
                                .begin = *backup_.begin_xlog,
                                .end = *backup_.end_xlog,
                                .segment_size = backup_.xlog_segment_size,
                                .system_id = find_system_id(backup_),
                                .server_major = find_server_major(backup_)});
    for (const std::string& name : names) {
      // The records after a segment that is missing or damaged hang in the air.
      if (!verify_segment(name, checker)) return std::move(verdict_);
      ++verdict_.wal_count;
    }
    judge(names.back(), [&] { checker.finish(); });
    verdict_.record_count = checker.record_count();
    return std::move(verdict_);
  }

 private:
  template <typename Function>
  bool judge(const std::string& name, Function&& function) {
    // Damage is the answer, not a failure of the question.
    try {
      function();
      return true;
    } catch (const Error& error) {
      if (!is_finding(error)) throw;
      verdict_.findings.push_back({name, fmt::format("WAL file '{}': {}", name, error.describe())});
      return false;
    }
  }

  bool verify_segment(const std::string& name, wal::RecordChecker& checker) {
    if (!archive_.holds(name)) {
      if (backup_.status != catalogue::BackupStatus::waiting_for_wals) {
        verdict_.findings.push_back(
            {name, fmt::format("WAL file '{}' is missing: \"{}\" does not exist", name,
                               archive_.path_of(name).string())});
      }
      return false;
    }
    return judge(name, [&] { read_segment(name, checker); });
  }

  void read_segment(const std::string& name, wal::RecordChecker& checker) {
    const std::optional<wal::Segment> segment =
        wal::parse_segment_name(name, backup_.xlog_segment_size);
    if (!segment) throw Error(ErrorKind::corrupt, "the name is impossible for this cluster");
    const std::optional<wal_archive::StoredWal> wal = archive_.find(name);
    if (!wal) throw Error(ErrorKind::not_found, "it was removed meanwhile");
    checker.begin_segment(*segment);
    CheckerSink sink(checker, server_.interrupt());
    archive_.read(*wal, sink);
    checker.end_segment();
  }

  const server::Server& server_;
  const wal_archive::WalArchive archive_{server_};
  const BackupInfo& backup_;
  WalVerdict verdict_;
};

}  // namespace

std::optional<std::uint64_t> find_system_id(const BackupInfo& backup) {
  const std::optional<postgres::SystemId> system_id =
      backup.systemid ? postgres::parse_system_id(*backup.systemid) : std::nullopt;
  return system_id ? std::optional(system_id->value) : std::nullopt;
}

std::optional<int> find_server_major(const BackupInfo& backup) {
  if (backup.version.value_or(0) < postgres::kVersion10) return std::nullopt;
  return *backup.version / 10000;
}

bool is_finding(const Error& error) {
  // A store that does not answer says nothing of what it holds.
  return error.kind() != ErrorKind::interrupted && error.kind() != ErrorKind::config &&
         error.kind() != ErrorKind::connection;
}

WalVerdict verify_required_wal(const server::Server& server, const BackupInfo& backup) {
  return WalVerification(server, backup).run();
}

}  // namespace barman::verify
