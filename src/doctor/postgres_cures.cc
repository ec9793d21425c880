#include <fmt/format.h>

#include "doctor/table_cures.h"
#include "postgres/grants.h"
#include "postgres/version_facts.h"
#include "postgres/versions.h"

namespace barman::doctor {
namespace {

using check::CheckResult;

std::string section_line(const Site& site) { return fmt::format("[{}]", site.server); }

Cure slow_answer(const CheckResult& failure, const Site& site) {
  return {.place = CurePlace::afterwards,
          .cause = failure.hint,
          .lines = {fmt::format("barman check --check-timeout 300 {}", site.server)}};
}

// Names in object storage stay: a new section goes on, with an archive of its own.
std::vector<Cure> other_cluster_of_a_bucket(const Site& site, const std::string& cause) {
  const std::string name =
      site.server + "-" +
      (site.version ? postgres::major_version_text(*site.version) : std::string("new"));
  return {{.place = CurePlace::configuration,
           .cause = cause,
           .lines =
               {"# If conninfo leads to the wrong cluster, correct it. After pg_upgrade or initdb,",
                "# a new section goes on, and the old one keeps its backups and WAL restorable:",
                section_line(site), "active = false",
                fmt::format("# and a copy of all other lines of [{}] as", site.server),
                fmt::format("[{}]", name)}},
          {.place = CurePlace::afterwards,
           .cause = "the new cluster needs a slot, WAL and a first backup of its own",
           .lines = {fmt::format("barman receive-wal --create-slot --if-not-exists {}", name),
                     "barman cron", fmt::format("barman switch-wal --force --archive {}", name),
                     fmt::format("barman backup --wait {}", name)}}};
}

std::vector<Cure> other_cluster(const Site& site) {
  const std::string cause =
      fmt::format("PostgreSQL is another cluster ({}) than that of the catalogue ({})",
                  site.system_id.empty() ? "?" : site.system_id, site.stored_system_id);
  if (site.is_in_object_storage) return other_cluster_of_a_bucket(site, cause);
  return {
      {.place = CurePlace::here,
       .cause = cause,
       .lines = {"# If you did not upgrade, conninfo leads to the wrong cluster: correct it, and "
                 "nothing "
                 "else.",
                 "# After pg_upgrade or initdb; the old backups stay restorable, with their WAL:",
                 fmt::format("barman follow-upgrade --dry-run {}   # what it would do",
                             site.server),
                 fmt::format("barman follow-upgrade {}", site.server)}},
      {.place = CurePlace::afterwards,
       .cause = "the new cluster needs a first backup of its own",
       .lines = {fmt::format("barman switch-wal --force --archive {}", site.server),
                 fmt::format("barman backup --wait {}", site.server)}}};
}

}  // namespace

std::vector<Cure> postgres_cures(const CheckResult& failure, const Site& site) {
  if (site.conninfo.empty()) {
    return {{.place = CurePlace::configuration,
             .cause = "there is no connection string of PostgreSQL",
             .lines = {section_line(site), "conninfo = host=HOST user=barman dbname=postgres"}}};
  }
  return {slow_answer(failure, site)};
}

std::vector<Cure> streaming_cures(const CheckResult& failure, const Site& site) {
  return {slow_answer(failure, site)};
}

std::vector<Cure> grant_cures(const CheckResult& failure, const Site& site) {
  std::vector<std::string> lines = site.missing_grants;
  if (lines.empty()) {
    for (const postgres::Grant& grant :
         postgres::needed_grants(site.version.value_or(postgres::kVersion15)))
      lines.push_back(postgres::grant_statement(grant, site.role));
  }
  return {{.place = CurePlace::psql,
           .cause = fmt::format("role {} lacks rights: {}", site.role, failure.label),
           .lines = std::move(lines)}};
}

std::vector<Cure> wal_level_cures(const CheckResult& failure, const Site& site) {
  if (failure.hint.find("minimal") == std::string::npos) return {slow_answer(failure, site)};
  const auto known = site.restart_settings.find("wal_level");
  return {
      {.place = CurePlace::psql,
       .cause = "wal_level = minimal: WAL cannot be used for recovery",
       .lines = {"ALTER SYSTEM SET wal_level = replica;", "ALTER SYSTEM SET max_wal_senders = 10;"},
       .needs_restart = known == site.restart_settings.end() || known->second}};
}

std::vector<Cure> standby_cures(const CheckResult& failure, const Site& site) {
  return {{.place = CurePlace::configuration,
           .cause = failure.hint.empty() ? failure.label : failure.hint,
           .lines = {section_line(site), "conninfo = host=STANDBY user=barman dbname=postgres",
                     "primary_conninfo = host=PRIMARY user=barman dbname=postgres",
                     "# or, when conninfo is the primary, no primary_conninfo"}}};
}

std::vector<Cure> system_id_cures(const CheckResult& failure, const Site& site) {
  if (failure.hint.find("changed") != std::string::npos) return other_cluster(site);
  if (failure.hint.find("streaming DSN") != std::string::npos) {
    return {
        {.place = CurePlace::configuration,
         .cause = "streaming_conninfo leads to another cluster than conninfo",
         .lines = {section_line(site),
                   fmt::format("streaming_conninfo = host={} port={} user={}", site.database_host,
                               site.port.empty() ? "5432" : site.port, site.streaming_role)}}};
  }
  return {slow_answer(failure, site)};
}

std::vector<Cure> timeout_cures(const CheckResult& failure, const Site& site) {
  return {slow_answer(failure, site)};
}

}  // namespace barman::doctor
