#include "check/check_server.h"

#include <algorithm>

#include "base/error.h"
#include "base/hint.h"
#include "base/log.h"
#include "base/log_components.h"
#include "base/text.h"
#include "check/check_run.h"
#include "postgres/conninfo.h"
#include "wal_archive/wal_archive.h"
#include "wal_archive/wal_statistics.h"

namespace barman::check {
namespace {

void log_result(const server::Server& server, const CheckResult& result) {
  const std::string hint = result.hint.empty() ? "" : " (" + result.hint + ")";
  if (result.ok) {
    log::debug(log::kServerComponent, "Check '{}' succeeded for server '{}'{}", result.label,
               server.name(), hint);
  } else {
    log::error(log::kServerComponent, "Check '{}' failed for server '{}'{}", result.label,
               server.name(), hint);
  }
}

class SilentMessages final : public Messages {
 public:
  void debug(const std::string& text) override {
    log::write(log::Level::debug, log::kServerComponent, text);
  }
  void info(const std::string& text) override {
    log::write(log::Level::info, log::kServerComponent, text);
  }
  void warning(const std::string& text) override {
    log::write(log::Level::warning, log::kServerComponent, text);
  }
  void error(const std::string& text) override {
    log::write(log::Level::error, log::kServerComponent, text);
  }
  void exception(const std::string& text) override {
    log::write(log::Level::error, log::kServerComponent, text);
  }
};

// Say, conninfo is a standby, and WAL streams from its primary.
bool streams_from_elsewhere(const server::Server& source) {
  const config::ServerConfig& config = source.config();
  return config.conninfo && config.streaming_conninfo &&
         !postgres::have_same_place(*config.conninfo, *config.streaming_conninfo);
}

void run_checks(const server::Server& server, std::chrono::seconds limit, Effects effects,
                Messages& messages, const CheckHandler& on_result) {
  const facts::Deadline deadline(limit);
  SqlSession sql(deadline, [&](const auto& limits) { return server.connect(limits); });
  const server::Server wal_source = server.with_wal_connections();
  SqlSession own_wal_sql(deadline, [&](const auto& limits) { return wal_source.connect(limits); });
  SqlSession own_sender_sql(
      deadline, [&](const auto& limits) { return wal_source.connect_beside_streaming(limits); });
  StreamingIdentity streaming(deadline, [&](const auto& limits) {
    return server.connect_streaming(server.config().streaming_archiver_name, limits);
  });
  StreamingIdentity own_wal_streaming(deadline, [&](const auto& limits) {
    return wal_source.connect_streaming(server.config().streaming_archiver_name, limits);
  });
  const bool has_wal_source = !server.wal_connections_text().empty();
  SqlSession& wal_sql = has_wal_source ? own_wal_sql : sql;
  const CheckRun run{.server = server,
                     .deadline = deadline,
                     .sql = sql,
                     .wal_sql = wal_sql,
                     .sender_sql = streams_from_elsewhere(wal_source) ? own_sender_sql : wal_sql,
                     .streaming = streaming,
                     .wal_streaming = has_wal_source ? own_wal_streaming : streaming,
                     .has_wal_source = has_wal_source,
                     .limit = limit,
                     .effects = effects,
                     .messages = messages,
                     .on_result = on_result};
  struct Step {
    const char* label;  // of what ends it
    void (*run)(const CheckRun&);
  };
  for (const Step& step : {Step{"WAL archive", &check_wal_archive},
                           {"WAL queue", &check_queues},
                           {"PostgreSQL", &check_postgres},
                           {"catalogue", &check_catalogue},
                           {"ssh", &check_ssh},
                           {"WAL receiver", &check_clients_and_identity},
                           {"WAL delivery", &check_wal_delivery},
                           {"archiver errors", &check_archiver_errors},
                           {"last runs", &check_last_reasons}}) {
    if (deadline.has_passed()) break;
    // A question without an answer is a row, and the others are still asked.
    try {
      step.run(run);
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::interrupted) throw;
      run.fail(step.label, error);
    }
  }
  if (deadline.has_passed()) run.fail("check timeout", "barman check command timed out");
}

}  // namespace

void CheckRun::fail(const std::string& label, const Error& error, bool is_critical) const {
  // One line, whatever libpq's message looks like.
  CheckResult result{
      .label = label,
      .ok = false,
      .hint = with_hint_inside(join(split_blanks(error.describe()), " "), error.hint()),
      .is_critical = is_critical};
  if (const auto* connecting = dynamic_cast<const postgres::ConnectError*>(&error)) {
    result.connect_problem = connecting->problem();
  }
  on_result(result);
}

void check_server(const server::Server& server, std::chrono::seconds limit, Messages& messages,
                  const CheckHandler& on_result) {
  const CheckHandler logged = [&](const CheckResult& result) {
    log_result(server, result);
    on_result(result);
  };
  run_checks(server, limit, Effects::allowed, messages, logged);
}

std::vector<CheckResult> find_critical_failures(const server::Server& server,
                                                std::chrono::seconds limit) {
  SilentMessages messages;
  std::vector<CheckResult> failures;
  run_checks(server, limit, Effects::allowed, messages, [&](const CheckResult& result) {
    if (result.ok || result.is_critical) {
      log_result(server, result);
      if (!result.ok) failures.push_back(result);
    } else {
      log::info(log::kServerComponent, "Ignoring failed check '{}' for server '{}'", result.label,
                server.name());
    }
  });
  return failures;
}

std::vector<CheckResult> look_for_failures(const server::Server& server,
                                           std::chrono::seconds limit) {
  SilentMessages messages;
  std::vector<CheckResult> failures;
  run_checks(server, limit, Effects::none, messages, [&](const CheckResult& result) {
    if (!result.ok) failures.push_back(result);
  });
  return failures;
}

SizeFacts measure_last_backup(const server::Server& server) {
  SizeFacts facts;
  try {
    const std::vector<catalogue::BackupInfo> backups = server.catalogue().list_backups().backups;
    const auto last = std::find_if(backups.rbegin(), backups.rend(),
                                   [](const auto& backup) { return backup.is_copy_done(); });
    if (last == backups.rend()) return facts;
    facts.backup_size_bytes = static_cast<std::uint64_t>(last->size.value_or(0));
    const wal_archive::WalIndex index = wal_archive::WalArchive(server).index();
    facts.wal_size_bytes =
        wal_archive::wal_statistics_of(
            backups, last->id,
            [&](const wal_archive::WalIndexVisitor& visitor) { index.for_each(visitor); })
            .wal_until_next_size;
  } catch (const Error& error) {  // What cannot be read is a row of check.
    if (error.kind() == ErrorKind::interrupted) throw;
  }
  return facts;
}

}  // namespace barman::check
