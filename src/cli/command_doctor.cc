#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/server_factory.h"
#include "cli/server_selection.h"
#include "doctor/apply_cures.h"
#include "doctor/examine_server.h"
#include "doctor/find_cures.h"
#include "output/doctor_views.h"

namespace barman::cli {
namespace {

bool is_cured(const std::vector<doctor::AppliedCure>& cures) {
  for (const doctor::AppliedCure& cure : cures) {
    if (!cure.is_done) return false;
  }
  return true;
}

// As in `check`: one that is not in use may lack what it likes.
void judge(CommandContext& context, const output::DoctorFindings& findings) {
  if (findings.is_in_use && !is_cured(findings.cures)) context.reporter.mark_failed();
}

void write_script(CommandContext& context, const output::DoctorFindings& findings) {
  std::vector<doctor::Cure> cures;
  for (const doctor::AppliedCure& applied : findings.cures) cures.push_back(applied.cure);
  cures.insert(cures.end(), findings.advice.begin(), findings.advice.end());
  for (const std::string& line : doctor::sql_script(cures, findings.site))
    context.reporter.result_line(line);
}

output::DoctorFindings examine_one(CommandContext& context, const config::ServerConfig& config) {
  const server::Server server = make_server(context, config);
  const std::chrono::seconds limit(
      context.arguments.find_integer("check_timeout").value_or(config.check_timeout));
  doctor::Examination examination = doctor::examine_server(server, limit);
  const std::vector<doctor::Cure> cures =
      doctor::find_cures(examination.failures, examination.site);
  output::DoctorFindings findings{.advice = doctor::find_advice(examination.site),
                                  .is_in_use = config.active};
  if (context.arguments.is_set("apply")) {
    findings.cures = doctor::apply_cures(server, cures, context.reporter);
  } else {
    for (const doctor::Cure& cure : cures) findings.cures.push_back({.cure = cure});
  }
  findings.site = std::move(examination.site);
  judge(context, findings);
  return findings;
}

}  // namespace

void run_doctor(CommandContext& context) {
  if (context.arguments.is_set("sql") &&
      (context.arguments.is_set("apply") || context.reporter.is_json())) {
    throw Error(ErrorKind::usage,
                "--sql prints a script for psql: neither --apply nor JSON goes "
                "with it",
                "Run 'barman doctor --sql SERVER' alone.");
  }
  const bool is_script = context.arguments.is_set("sql");
  std::vector<output::DoctorFindings> servers;
  for_each_server(context, [&](const config::ServerConfig& config) {
    servers.push_back(examine_one(context, config));
    if (is_script) write_script(context, servers.back());
  });
  if (is_script) return;
  if (servers.size() == 1) return output::write_findings(context.reporter, servers.front());
  output::write_fleet(context.reporter, servers);
}

}  // namespace barman::cli
