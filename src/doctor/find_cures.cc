#include "doctor/find_cures.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "doctor/connection_cures.h"
#include "doctor/table_cures.h"
#include "postgres/grants.h"

namespace barman::doctor {
namespace {

using check::CheckResult;

using CureFunction = std::vector<Cure> (*)(const CheckResult&, const Site&);

struct Entry {
  std::string_view label;
  CureFunction find;
};

// Every label of check/ (doctor/find_cures_test.cc compares), without what stands behind it.
constexpr std::array kTable = {
    Entry{"WAL archive", wal_archive_cures},
    Entry{"empty incoming directory", leftover_cures},
    Entry{"empty streaming directory", leftover_cures},
    Entry{"incoming WALs directory", queue_cures},
    Entry{"streaming WALs directory", queue_cures},
    Entry{"WAL queue", queue_cures},
    Entry{"PostgreSQL", postgres_cures},
    Entry{"PostgreSQL streaming", streaming_cures},
    Entry{"superuser or standard user with backup privileges", grant_cures},
    Entry{"no access to backup functions", grant_cures},
    Entry{"has monitoring privileges", grant_cures},
    Entry{"no access to monitoring functions", grant_cures},
    Entry{"wal_level", wal_level_cures},
    Entry{"PostgreSQL server is standby", standby_cures},
    Entry{"Primary server is not a standby", standby_cures},
    Entry{"Primary and standby have same system ID", standby_cures},
    Entry{"replication slot", slot_cures},
    Entry{"directories", directory_cures},
    Entry{"retention policy settings", retention_cures},
    Entry{"backup maximum age", backup_cures},
    Entry{"backup minimum size", small_backup_cures},
    Entry{"minimum redundancy requirements", backup_cures},
    Entry{"recoverable WAL", backup_cures},
    Entry{"wal maximum age", wal_archive_cures},
    Entry{"WAL index", index_cures},
    Entry{"encryption", encryption_cures},
    Entry{"cloud storage configuration", option_cures},
    Entry{"compression settings", option_cures},
    Entry{"backup method", option_cures},
    Entry{"configuration", option_cures},
    Entry{"pg_basebackup compatible", option_cures},
    Entry{"pg_receivexlog compatible", option_cures},
    Entry{"failed backups", failed_backup_cures},
    Entry{"readable backups", catalogue_cures},
    Entry{"timeline history files", catalogue_cures},
    Entry{"ssh", ssh_cures},
    Entry{"ssh output clean", ssh_cures},
    Entry{"backup_label", label_cures},
    Entry{"local PGDATA", data_directory_cures},
    Entry{"not in recovery", exclusive_cures},
    Entry{"exclusive backup supported", exclusive_cures},
    Entry{"exclusive backup", abandoned_backup_cures},
    Entry{"systemid coherence", system_id_cures},
    Entry{"receive-wal running", receiver_cures},
    Entry{"archive_mode", archive_mode_cures},
    Entry{"archive_command", archive_command_cures},
    Entry{"continuous archiving", archiving_cures},
    Entry{"archiver errors", archiver_error_cures},
    Entry{"last run of", last_run_cures},
    Entry{"check timeout", timeout_cures},
};

// Without " (WAL streaming)" behind it, or the task behind "last run of".
std::string_view base_label(std::string_view label) {
  constexpr std::string_view kLastRun = "last run of";
  if (label.starts_with(kLastRun)) return kLastRun;
  return label.substr(0, label.find(" ("));
}

const Entry* find_entry(std::string_view label) {
  const auto* const entry = std::find_if(kTable.begin(), kTable.end(), [&](const Entry& candidate) {
    return candidate.label == base_label(label);
  });
  return entry == kTable.end() ? nullptr : entry;
}

std::vector<Cure> unknown_cures(const CheckResult& failure, const Site& site) {
  // Without a file the log goes to stderr.
  const std::string tells =
      site.log_file.empty() ? "barman tells more than its result" : "the log of barman tells more";
  return {{.place = CurePlace::here,
           .cause = failure.hint.empty() ? tells : failure.hint,
           .lines = {site.log_file.empty()
                         ? fmt::format("barman --log-level DEBUG check {}", site.server)
                         : fmt::format("tail -n 50 {}", site.log_file)}}};
}

// The connection comes first, and the right cluster: what depends on it shows when it is there.
bool must_wait(const CheckResult& failure, const Site& site) {
  constexpr std::array<std::string_view, 3> kDependent = {"replication slot", "WAL archive",
                                                          "receive-wal running"};
  const bool is_right_cluster = site.system_id.empty() || site.stored_system_id.empty() ||
                                site.system_id == site.stored_system_id;
  if ((site.is_reached && is_right_cluster) || failure.connect_problem) return false;
  return std::find(kDependent.begin(), kDependent.end(), base_label(failure.label)) !=
         kDependent.end();
}

// The slot is there before who uses it, and that one before WAL is expected.
int rank(const Cure& cure) {
  constexpr int kLast = 9;
  return cure.action == Action::none ? kLast : static_cast<int>(cure.action);
}

void add(std::vector<Cure>& cures, Cure cure, const std::string& label) {
  const auto same = std::find_if(cures.begin(), cures.end(), [&](const Cure& known) {
    return known.place == cure.place && known.lines == cure.lines;
  });
  // An idle slot is only what comes of it: why the receiver has ended stands in its own row.
  if (same != cures.end() && label == "receive-wal running") same->cause = cure.cause;
  Cure& kept = same == cures.end() ? cures.emplace_back(std::move(cure)) : *same;
  kept.checks.push_back(label);
}

}  // namespace

std::vector<Cure> find_cures(const std::vector<CheckResult>& failures, const Site& site) {
  std::vector<Cure> cures;
  for (const CheckResult& failure : failures) {
    if (must_wait(failure, site)) continue;
    std::vector<Cure> found;
    if (failure.connect_problem) {
      found = connection_cures(*failure.connect_problem, site);
    } else {
      const Entry* entry = find_entry(failure.label);
      found = entry != nullptr ? entry->find(failure, site) : unknown_cures(failure, site);
    }
    for (Cure& cure : found) add(cures, std::move(cure), failure.label);
  }
  std::stable_sort(cures.begin(), cures.end(), [](const Cure& a, const Cure& b) {
    return a.place != b.place ? a.place < b.place : rank(a) < rank(b);
  });
  return cures;
}

std::vector<Cure> find_advice(const Site& site) {
  constexpr double kSoonDays = 7;
  std::vector<Cure> advice;
  if (!site.missing_file_grants.empty()) {
    advice.push_back({.place = CurePlace::psql,
                      .cause = fmt::format("so that backups keep the configuration files outside "
                                           "of the data directory ({}), and a restored cluster "
                                           "starts with them",
                                           join(site.unread_files, ", ")),
                      .lines = site.missing_file_grants,
                      .checks = {"configuration files"}});
  }
  const auto days = site.disk ? site.disk->days_until_full() : std::optional<double>();
  if (days && *days < kSoonDays) {
    advice.push_back(
        {.place = CurePlace::afterwards,
         .cause = facts::describe_space(*site.disk),
         .lines = {"barman cron --dry-run   # what the retention policy keeps, and why",
                   fmt::format("barman list-backups {}", site.server)},
         .checks = {"disk"}});
  }
  return advice;
}

bool has_cures(std::string_view label) { return find_entry(label) != nullptr; }

std::vector<std::string_view> known_labels() {
  std::vector<std::string_view> labels;
  for (const Entry& entry : kTable) labels.push_back(entry.label);
  return labels;
}

std::vector<std::string> sql_script(const std::vector<Cure>& cures, const Site& site) {
  std::vector<std::string> lines = {
      fmt::format("-- For PostgreSQL of server {}, as superuser: psql -d {} -f FILE", site.server,
                  shell_quote(site.database))};
  if (!site.is_reached) {
    for (std::string& line : postgres::role_script(site.role, site.streaming_role))
      lines.push_back(std::move(line));
  }
  bool needs_restart = false;
  bool has_settings = false;
  for (const Cure& cure : cures) {
    if (cure.place != CurePlace::psql) continue;
    lines.push_back("-- " + join(cure.checks, ", ") + ": " + cure.cause);
    for (const std::string& line : cure.lines) {
      // Made above where they are missing.
      if (line.starts_with("CREATE ROLE ")) continue;
      has_settings = has_settings || line.starts_with("ALTER SYSTEM ");
      // A script cannot ask for a password.
      lines.push_back(line.starts_with("\\password")
                          ? fmt::format("\\echo 'Set the password, in psql: \\{}'", line)
                          : line);
    }
    needs_restart = needs_restart || cure.needs_restart;
  }
  if (has_settings) lines.emplace_back("SELECT pg_reload_conf();");
  if (needs_restart) lines.emplace_back("\\echo 'Now restart PostgreSQL'");
  return lines;
}

}  // namespace barman::doctor
