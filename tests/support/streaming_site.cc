#include "support/streaming_site.h"

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "support/catalogue_files.h"
#include "support/eventually.h"

namespace barman::test {
namespace {

constexpr int kSegmentMegabytes = 1;

PostgresOptions with_small_segments(PostgresOptions options) {
  options.shape.wal_segment_megabytes = kSegmentMegabytes;
  options.settings.try_emplace("wal_keep_size", "2GB");
  options.settings.try_emplace("checkpoint_timeout", "1h");
  return options;
}

CommandResult require_success(CommandResult result, const std::string& what) {
  if (result.exit_code == 0) return result;
  throw Error(ErrorKind::internal, fmt::format("{} ends with {}:\n{}{}", what, result.exit_code,
                                               result.out, result.err));
}

}  // namespace

StreamingSite::StreamingSite(Options options)
    : postgres(with_small_segments(std::move(options.postgres))), barman(std::move(options.home)) {
  barman.add_streaming_server("main", postgres, options.server);
  require_success(barman.run({"receive-wal", "--create-slot", "main"}), "create-slot");
  begin_lsn_ = postgres.value("SELECT pg_current_wal_lsn()");
  reserved_lsn_ = acknowledged();
}

void StreamingSite::start_receiver() {
  receiver_.reset();
  receiver_.emplace(barman.spawn_receiver("main", postgres));
}

void StreamingSite::stop_receiver() {
  receiver_->kill(SIGINT);
  if (!receiver_->wait()) throw Error(ErrorKind::internal, "receive-wal does not stop");
}

void StreamingSite::archive_a_segment() {
  postgres.query("SELECT pg_create_restore_point('something to switch')");
  require_success(barman.run({"switch-wal", "--archive", "main"}), "switch-wal");
}

std::string StreamingSite::take_backup() {
  require_success(barman.run({"backup", "--wait", "main"}), "backup");
  return listed_backups().front();
}

std::vector<std::string> StreamingSite::listed_backups() {
  const CommandResult list =
      require_success(barman.run({"list-backups", "--minimal", "main"}), "list-backups");
  if (!list.err.empty()) throw Error(ErrorKind::internal, "list-backups warns: " + list.err);
  std::vector<std::string> ids;
  for (const std::string& line : split(list.out, '\n')) {
    if (!line.empty()) ids.push_back(line);
  }
  return ids;
}

std::string StreamingSite::status_of(const std::string& backup_id) const {
  return read_backup_info(barman, "main", backup_id).at("status");
}

std::string StreamingSite::backup_damage(const std::string& backup_id) const {
  const CommandResult result =
      run_command({.argv = {find_tool(postgres.major(), "pg_verifybackup"), "--no-parse-wal",
                            server_directory() / "base" / backup_id / "data"}});
  return result.exit_code == 0 ? "" : result.out + result.err;
}

void StreamingSite::wait_until_acknowledged() const {
  // The end of a segment is acknowledged at once, other positions after seconds.
  const std::string lsn = postgres.value("SELECT pg_create_restore_point('end')");
  postgres.query("SELECT pg_switch_wal()");
  wait_until_acknowledged(lsn);
}

void StreamingSite::wait_until_acknowledged(const std::string& lsn) const {
  postgres.wait_until(
      fmt::format("restart_lsn >= '{}' FROM pg_replication_slots WHERE slot_name = 'barman'", lsn));
}

// The first backup lets the WAL before it go.
std::string StreamingSite::needed_lsn() const {
  const std::filesystem::path meta = server_directory() / "meta";
  if (!std::filesystem::exists(meta)) return begin_lsn_;
  std::vector<std::string> ids;
  for (const auto& entry : std::filesystem::directory_iterator(meta)) {
    const std::string name = entry.path().filename().string();
    if (name.ends_with("-backup.info")) ids.push_back(name.substr(0, name.find('-')));
  }
  std::ranges::sort(ids);
  for (const std::string& id : ids) {
    const Fields info = read_backup_info(barman, "main", id);
    const auto lsn = info.find("begin_xlog");
    const auto status = info.find("status");
    const bool is_usable = lsn != info.end() && status != info.end() &&
                           (status->second == "DONE" || status->second == "WAITING_FOR_WALS");
    if (is_usable) return lsn->second;
  }
  return begin_lsn_;
}

std::string StreamingSite::lost_wal() const {
  const std::string lsn = acknowledged();
  // A new slot stands in the middle of a segment of which nothing has been received yet.
  return lsn == reserved_lsn_ ? "" : lost_wal(lsn);
}

std::string StreamingSite::lost_wal(const std::string& until_lsn) const {
  return wal_differences(barman, "main", postgres.data_directory() / "pg_wal",
                         {.begin = needed_lsn(),
                          .end = until_lsn,
                          .segment_bytes = std::uint64_t{kSegmentMegabytes} << 20});
}

void StreamingSite::receive_segments(int count) {
  start_receiver();
  for (int segment = 0; segment < count; ++segment) {
    postgres.query("SELECT pg_create_restore_point('x'); SELECT pg_switch_wal()");
  }
  wait_until_acknowledged();
  stop_receiver();
}

bool StreamingSite::is_copying() const {
  const auto ids = barman.backup_ids("main");
  return !ids.empty() && std::filesystem::exists(server_directory() / "base" / ids.back() / "data" /
                                                 "backup_label");
}

void let_wal_go(const PostgresServer& postgres) {
  postgres.query("CREATE TABLE IF NOT EXISTS bulk (text text)");
  for (int segment = 0; segment < 6; ++segment) {
    postgres.query("INSERT INTO bulk VALUES ('x')");
    postgres.query("SELECT pg_switch_wal()");
  }
  postgres.query("CHECKPOINT");
  postgres.query("CHECKPOINT");
}

}  // namespace barman::test
