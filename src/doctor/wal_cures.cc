#include <fmt/format.h>

#include "base/shown_time.h"
#include "base/text.h"
#include "base/timestamp.h"
#include "doctor/table_cures.h"
#include "postgres/connect_problem.h"
#include "postgres/grants.h"

namespace barman::doctor {
namespace {

using check::CheckResult;

Cure receiver_cure(const std::string& cause, const Site& site) {
  Cure cure = {.place = CurePlace::afterwards, .cause = cause, .action = Action::start_receiver};
  // cron leaves one that lives alone.
  if (site.has_receiver)
    cure.lines.push_back(fmt::format("barman terminate-process {} receive-wal", site.server));
  cure.lines.emplace_back("barman cron");
  return cure;
}

std::string archive_command_line(const Site& site) {
  return fmt::format("ALTER SYSTEM SET archive_command = 'barman-wal-archive {} {} %p';",
                     site.host_name, site.server);
}

Cure client_test(const std::string& cause, const Site& site) {
  return {.place = CurePlace::database_host,
          .cause = cause,
          .lines = {fmt::format("sudo -u postgres barman-wal-archive --test {} {} x",
                                site.host_name, site.server),
                    "sudo grep archive_command /var/log/postgresql/*.log | tail"}};
}

std::string time_text(const std::optional<Timestamp>& time) {
  return time ? shown_second(*time) : "";
}

}  // namespace

std::vector<Cure> wal_archive_cures(const CheckResult&, const Site& site) {
  std::vector<Cure> cures;
  if (site.archives && !site.streams)
    cures.push_back(client_test("whether PostgreSQL can hand its WAL over", site));
  cures.push_back({.place = CurePlace::afterwards,
                   .cause = "no WAL has arrived: a switch completes a segment, which must come",
                   .lines = {fmt::format("barman switch-wal --force --archive {}", site.server)}});
  return cures;
}

std::vector<Cure> leftover_cures(const CheckResult& failure, const Site& site) {
  const bool is_incoming = failure.label.find("incoming") != std::string::npos;
  return {{.place = CurePlace::configuration,
           .cause = failure.hint,
           .lines = {fmt::format("[{}]", site.server),
                     is_incoming ? "archiver = on" : "streaming_archiver = on"}},
          {.place = CurePlace::afterwards,
           .cause = "what waits there is archived; then the option may be off again",
           .lines = {fmt::format("barman archive-wal {}", site.server)}}};
}

std::vector<Cure> queue_cures(const CheckResult& failure, const Site& site) {
  return {{.place = CurePlace::afterwards,
           .cause = failure.hint,
           .lines = {fmt::format("barman archive-wal {}", site.server)}}};
}

std::vector<Cure> slot_cures(const CheckResult& failure, const Site& site) {
  switch (site.slot) {
    case SlotState::missing:
      return {{.place = CurePlace::afterwards,
               .cause = fmt::format("replication slot '{}' does not exist: PostgreSQL keeps no WAL "
                                    "for this server",
                                    site.slot_name),
               .lines = {fmt::format("barman receive-wal --create-slot {}", site.server)},
               .action = Action::create_slot},
              receiver_cure("receive-wal must use the slot", site)};
    case SlotState::lost:
      return {{.place = CurePlace::afterwards,
               .cause = failure.hint,
               .lines = {fmt::format("barman receive-wal --reset {}", site.server), "barman cron",
                         fmt::format("barman backup --wait {}", site.server)}}};
    case SlotState::unknown:
    case SlotState::idle:
    case SlotState::active:
      break;
  }
  return {receiver_cure(failure.hint, site)};
}

std::vector<Cure> receiver_cures(const CheckResult& failure, const Site& site) {
  return {receiver_cure(failure.hint, site)};
}

std::vector<Cure> archive_mode_cures(const CheckResult&, const Site& site) {
  const auto known = site.restart_settings.find("archive_mode");
  return {{.place = CurePlace::psql,
           .cause = "archive_mode is off, and archiver = on expects WAL from archive_command",
           .lines = {"ALTER SYSTEM SET archive_mode = on;", archive_command_line(site)},
           .needs_restart = known == site.restart_settings.end() || known->second}};
}

std::vector<Cure> archive_command_cures(const CheckResult&, const Site& site) {
  return {{.place = CurePlace::psql,
           .cause = "archive_command is empty",
           .lines = {archive_command_line(site), "SELECT pg_reload_conf();"}},
          client_test("whether PostgreSQL can hand its WAL over", site)};
}

std::vector<Cure> archiving_cures(const CheckResult&, const Site& site) {
  std::string cause = "archive_command fails";
  if (site.archiver) {
    const std::string last = time_text(site.archiver->last_archived_time);
    cause += last.empty() ? ", and has never archived a file" : " since " + last;
    cause += fmt::format("; {} attempts have failed", site.archiver->failed_count);
    if (site.archiver->last_failed_wal) {
      cause +=
          fmt::format(", the last one at {} for {}", time_text(site.archiver->last_failed_time),
                      *site.archiver->last_failed_wal);
    }
  }
  if (site.waiting_wal) {
    cause += fmt::format("; {} {} on PostgreSQL's disk, which must not become full",
                         *site.waiting_wal, *site.waiting_wal == 1 ? "file waits" : "files wait");
  }
  std::vector<Cure> cures = {client_test(cause, site)};
  if (!site.waiting_wal && site.is_reached) {
    cures.push_back({.place = CurePlace::psql,
                     .cause = "so that barman can tell how much WAL waits",
                     .lines = {fmt::format("GRANT {} TO {};", postgres::kWaitingWalRight,
                                           postgres::quoted_name(site.role))}});
  }
  return cures;
}

std::vector<Cure> archiver_error_cures(const CheckResult& failure, const Site& site) {
  return {{.place = CurePlace::afterwards,
           .cause = "archive-wal has put files aside (" + failure.hint +
                    "): look at them, and move away what is not needed",
           .lines = {fmt::format("ls -l \"$(barman show-servers {} | sed -n "
                                 "'s/^\\terrors_directory: //p')\"",
                                 site.server),
                     fmt::format("barman catalogue-check {}", site.server)}}};
}

std::vector<Cure> last_run_cures(const CheckResult& failure, const Site& site) {
  const std::vector<std::string> words = split_blanks(failure.label);
  const std::string task = words.empty() ? "" : words.back();
  return {{.place = CurePlace::afterwards,
           .cause = failure.hint,
           .lines = {fmt::format("barman {} {}", task, site.server)}}};
}

std::vector<Cure> index_cures(const CheckResult& failure, const Site& site) {
  return {{.place = CurePlace::afterwards,
           .cause = failure.hint,
           .lines = {fmt::format("barman rebuild-xlogdb {}", site.server)}}};
}

}  // namespace barman::doctor
