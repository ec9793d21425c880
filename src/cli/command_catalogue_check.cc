#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/server_factory.h"
#include "cli/server_selection.h"
#include "cli/shown_work.h"
#include "output/survey_views.h"
#include "verify/gather_survey.h"

namespace barman::cli {

void run_catalogue_check(CommandContext& context) {
  const verify::VerifyDepth depth = context.arguments.is_set("deep")
                                        ? verify::VerifyDepth::checksums
                                        : verify::VerifyDepth::sizes;
  for_each_server(context, [&](const config::ServerConfig& config) {
    const server::Server server = make_server(context, config);
    const ShownWork work = {
        .task = "catalogue-check",
        .object = "",
        .remains = fmt::format("Nothing was changed, and no verdict was reached: 'barman "
                               "catalogue-check {}' begins anew.",
                               config.name)};
    const verify::SurveyReport report = run_shown(context, server, work, [&](Progress& progress) {
      return verify::survey_catalogue(verify::gather_survey(server, depth, progress));
    });
    output::write_survey(context.reporter, config.name, report);
    if (report.has_errors()) context.reporter.mark_failed();
  });
}

}  // namespace barman::cli
