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

JsonValue advice_json(const std::vector<doctor::Cure>& advice) {
  JsonValue list = JsonValue::array();
  for (const doctor::Cure& cure : advice) {
    JsonValue entry = JsonValue::object();
    entry.add("about", cure.checks);
    entry.add("place", place_key(cure.place));
    entry.add("reason", cure.cause);
    entry.add("lines", cure.lines);
    list.push_back(std::move(entry));
  }
  return list;
}

void add_document(Reporter& reporter, const DoctorFindings& findings) {
  const Site& site = findings.site;
  JsonValue document = JsonValue::object();
  document.add("cures", cures_json(findings.cures));
  document.add("advice", advice_json(findings.advice));
  if (site.disk) document.add("disk", facts::describe_space(*site.disk));
  reporter.add_json(site.server, std::move(document));
}

// "nothing to cure", "one thing to cure", "3 things to cure"
std::string count_text(std::size_t count) {
  if (count == 0) return "nothing to cure";
  return count == 1 ? "one thing to cure" : fmt::format("{} things to cure", count);
}

std::size_t count_left(const DoctorFindings& findings) {
  return static_cast<std::size_t>(std::count_if(findings.cures.begin(), findings.cures.end(),
                                                [](const auto& cure) { return !cure.is_done; }));
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

// Behind the name of a server in a list of several.
std::string summary_of(const DoctorFindings& findings) {
  if (!findings.is_in_use) return "not in use (active = false)";
  std::string text = count_text(count_left(findings));
  std::vector<std::string> labels;
  for (const AppliedCure& applied : findings.cures) {
    for (const std::string& label : applied.cure.checks) {
      const bool is_known = std::find(labels.begin(), labels.end(), label) != labels.end();
      if (!applied.is_done && !is_known) labels.push_back(label);
    }
  }
  if (!labels.empty()) text += ": " + join(labels, ", ");
  if (findings.site.disk) text += "; disk " + facts::describe_space(*findings.site.disk);
  return text;
}

void write_advice(Reporter& reporter, const DoctorFindings& findings) {
  for (const doctor::Cure& cure : findings.advice) {
    reporter.result_line("");
    reporter.result_line("worth having, and no failure; " + place_text(cure.place, findings.site) +
                         ":");
    write_cure(reporter, {.cure = cure});
  }
}

// What there is beyond the lines to paste: other ways to have them done.
void write_next(Reporter& reporter, const DoctorFindings& findings) {
  const std::string& server = findings.site.server;
  const auto has = [&](const auto& condition) {
    return std::any_of(findings.cures.begin(), findings.cures.end(), condition);
  };
  const bool has_sql = has([](const auto& cure) { return cure.cure.place == CurePlace::psql; }) ||
                       std::any_of(findings.advice.begin(), findings.advice.end(),
                                   [](const auto& cure) { return cure.place == CurePlace::psql; });
  if (has_sql || !findings.cures.empty()) reporter.result_line("");
  if (has_sql) {
    reporter.result_line(fmt::format("The SQL alone, for psql: barman doctor --sql {}", server));
  }
  if (has([](const auto& cure) {
        return cure.cure.action != doctor::Action::none && !cure.is_done;
      })) {
    reporter.result_line(fmt::format(
        "What needs no root and is done by barman itself: barman doctor --apply {}", server));
  }
  if (!findings.cures.empty()) {
    reporter.result_line(
        fmt::format("Afterwards, for what could not be seen until then: barman doctor {}", server));
  }
}

void write_text(Reporter& reporter, const DoctorFindings& findings) {
  const Site& site = findings.site;
  reporter.result_line(
      fmt::format("Server {}: {}", site.server, count_text(findings.cures.size())));
  if (site.disk) reporter.result_line("Disk: " + facts::describe_space(*site.disk));
  std::optional<CurePlace> place;
  bool needs_restart = false;
  for (const AppliedCure& applied : findings.cures) {
    if (place != applied.cure.place) {
      if (needs_restart) reporter.result_line("\t-- then restart PostgreSQL");
      needs_restart = false;
      place = applied.cure.place;
      reporter.result_line("");
      reporter.result_line(place_text(*place, site) + ":");
    }
    write_cure(reporter, applied);
    needs_restart = needs_restart || applied.cure.needs_restart;
  }
  if (needs_restart) reporter.result_line("\t-- then restart PostgreSQL");
  write_advice(reporter, findings);
  write_next(reporter, findings);
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

void write_findings(Reporter& reporter, const DoctorFindings& findings) {
  add_document(reporter, findings);
  write_text(reporter, findings);
}

void write_fleet(Reporter& reporter, const std::vector<DoctorFindings>& servers) {
  std::size_t width = 0;
  for (const DoctorFindings& findings : servers)
    width = std::max(width, findings.site.server.size());
  for (const DoctorFindings& findings : servers) {
    add_document(reporter, findings);
    reporter.result_line(
        fmt::format("{:<{}}  {}", findings.site.server, width, summary_of(findings)));
  }
  for (const DoctorFindings& findings : servers) {
    if (!findings.is_in_use || (findings.cures.empty() && findings.advice.empty())) continue;
    reporter.result_line("");
    write_text(reporter, findings);
  }
}

}  // namespace barman::output
