#include "cli/commands.h"
#include "cli/server_factory.h"
#include "cli/server_selection.h"
#include "output/survey_views.h"
#include "verify/gather_survey.h"

namespace barman::cli {

void run_catalogue_check(CommandContext& context) {
  const verify::VerifyDepth depth = context.arguments.is_set("deep")
                                        ? verify::VerifyDepth::checksums
                                        : verify::VerifyDepth::sizes;
  for_each_server(context, [&](const config::ServerConfig& config) {
    const server::Server server = make_server(context, config);
    const verify::SurveyReport report =
        verify::survey_catalogue(verify::gather_survey(server, depth, context.progress));
    output::write_survey(context.reporter, config.name, report);
    if (report.has_errors()) context.reporter.mark_failed();
  });
}

}  // namespace barman::cli
