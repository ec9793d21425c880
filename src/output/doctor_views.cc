#include "output/doctor_views.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "base/text.h"

namespace barman::output {
namespace {

using doctor::AppliedCure;
using doctor::CurePlace;
using doctor::Site;

std::string database_host_text(const Site& site) {
  const std::string& host = site.database_host;
  return host.empty() || host.front() == '/' ? "the host of PostgreSQL"
                                             : "the host of PostgreSQL (" + host + ")";
}

JsonValue cures_json(const std::vector<AppliedCure>& cures) {
  JsonValue list = JsonValue::array();
  for (const AppliedCure& applied : cures) {
    JsonValue entry = JsonValue::object();
    entry.add("checks", applied.cure.checks);
    entry.add("place", place_key(applied.cure.place));
    entry.add("cause", applied.cure.cause);
    entry.add("lines", applied.cure.lines);
    entry.add("needs_restart", applied.cure.needs_restart);
    entry.add("can_be_applied", applied.cure.action != doctor::Action::none);
    entry.add("applied", applied.is_done);
    entry.add("problem", applied.problem);
    list.push_back(std::move(entry));
  }
  return list;
}

// A comment in the language of that place.
std::string_view comment_mark(CurePlace place) { return place == CurePlace::psql ? "--" : "#"; }

void write_cure(Reporter& reporter, const AppliedCure& applied) {
  const doctor::Cure& cure = applied.cure;
  const std::string_view mark = comment_mark(cure.place);
  const std::string state = applied.is_done ? "done: " : "";
  reporter.result_line(
      fmt::format("\t{} {}{}: {}", mark, state, join(cure.checks, ", "), cure.cause));
  if (!applied.problem.empty())
    reporter.result_line(fmt::format("\t{} --apply could not: {}", mark, applied.problem));
  if (applied.is_done) return;
  for (const std::string& line : cure.lines) reporter.result_line("\t" + line);
}

}  // namespace

std::string place_text(CurePlace place, const Site& site) {
  switch (place) {
    case CurePlace::root_here:
      return "on this host, as root";
    case CurePlace::here:
      return fmt::format("on this host, as {}", site.user);
    case CurePlace::database_host:
      return "on " + database_host_text(site);
    case CurePlace::hba_file:
      return fmt::format(
          "in pg_hba.conf on {}, before the other lines of that role; then: psql -c "
          "'SELECT pg_reload_conf()'",
          database_host_text(site));
    case CurePlace::psql:
      return fmt::format("in psql, as superuser, in database {}, on {}", site.database,
                         database_host_text(site));
    case CurePlace::configuration:
      return fmt::format("in the configuration ({} or the files that it includes)",
                         site.configuration_file);
    case CurePlace::afterwards:
      break;
  }
  return fmt::format("then on this host, as {}", site.user);
}

std::string_view place_key(CurePlace place) {
  switch (place) {
    case CurePlace::root_here:
      return "root";
    case CurePlace::here:
      return "here";
    case CurePlace::database_host:
      return "database_host";
    case CurePlace::hba_file:
      return "pg_hba.conf";
    case CurePlace::psql:
      return "psql";
    case CurePlace::configuration:
      return "configuration";
    case CurePlace::afterwards:
      break;
  }
  return "afterwards";
}

void write_cures(Reporter& reporter, const Site& site, const std::vector<AppliedCure>& cures) {
  JsonValue document = JsonValue::object();
  document.add("cures", cures_json(cures));
  reporter.add_json(site.server, std::move(document));
  if (cures.empty()) {
    reporter.result_line(fmt::format("Server {}: nothing to cure", site.server));
    return;
  }
  reporter.result_line(
      fmt::format("Server {}: {} to cure", site.server,
                  cures.size() == 1 ? "one thing" : fmt::format("{} things", cures.size())));
  std::optional<CurePlace> place;
  bool needs_restart = false;
  bool can_apply = false;
  bool has_sql = false;
  for (const AppliedCure& applied : cures) {
    if (place != applied.cure.place) {
      if (needs_restart) reporter.result_line("\t-- then restart PostgreSQL");
      needs_restart = false;
      place = applied.cure.place;
      reporter.result_line("");
      reporter.result_line(place_text(*place, site) + ":");
    }
    write_cure(reporter, applied);
    needs_restart = needs_restart || applied.cure.needs_restart;
    can_apply = can_apply || (applied.cure.action != doctor::Action::none && !applied.is_done);
    has_sql = has_sql || applied.cure.place == CurePlace::psql;
  }
  if (needs_restart) reporter.result_line("\t-- then restart PostgreSQL");
  reporter.result_line("");
  if (has_sql)
    reporter.result_line(
        fmt::format("The SQL alone, for psql: barman doctor --sql {}", site.server));
  if (can_apply)
    reporter.result_line(
        fmt::format("What needs no root and is done by barman itself: barman "
                    "doctor --apply {}",
                    site.server));
  reporter.result_line(
      fmt::format("Afterwards, for what could not be seen until then: barman "
                  "doctor {}",
                  site.server));
}

}  // namespace barman::output
