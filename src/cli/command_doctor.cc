#include <chrono>
#include <string>
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

void examine_one(CommandContext& context, const config::ServerConfig& config) {
  const server::Server server = make_server(context, config);
  const std::chrono::seconds limit(
      context.arguments.find_integer("check_timeout").value_or(config.check_timeout));
  const doctor::Examination examination = doctor::examine_server(server, limit);
  const std::vector<doctor::Cure> cures =
      doctor::find_cures(examination.failures, examination.site);
  if (context.arguments.is_set("sql")) {
    for (const std::string& line : doctor::sql_script(cures, examination.site))
      context.reporter.result_line(line);
    if (config.active && !cures.empty()) context.reporter.mark_failed();
    return;
  }
  std::vector<doctor::AppliedCure> applied;
  if (context.arguments.is_set("apply")) {
    applied = doctor::apply_cures(server, cures, context.reporter);
  } else {
    for (const doctor::Cure& cure : cures) applied.push_back({.cure = cure});
  }
  output::write_cures(context.reporter, examination.site, applied);
  // As in `check`: one that is not in use may lack what it likes.
  if (config.active && !is_cured(applied)) context.reporter.mark_failed();
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
  for_each_server(context,
                  [&](const config::ServerConfig& config) { examine_one(context, config); });
}

}  // namespace barman::cli
