#include "cli/table_style.h"

#include <unistd.h>

#include <fmt/format.h>

#include "base/timestamp.h"

namespace barman::cli {

std::optional<output::TableStyle> find_table_style(const CommandContext& context) {
  if (!context.arguments.is_set("table") || context.reporter.is_json()) return std::nullopt;
  const std::optional<output::Terminal> terminal = output::find_terminal(STDOUT_FILENO);
  if (!terminal) return std::nullopt;
  return output::TableStyle{
      .terminal = *terminal,
      .now = now_local(),
      .paint = [&reporter = context.reporter](std::string_view text, output::Color color) {
        return reporter.colored(text, color);
      }};
}

bool is_for_people(const CommandContext& context) {
  return context.reporter.format() == output::OutputFormat::console &&
         output::find_terminal(STDOUT_FILENO).has_value();
}

std::vector<std::string> work_lines(const CommandContext& context, const server::Server& server,
                                    const WorkFilter& is_wanted) {
  std::vector<std::string> lines;
  if (!is_for_people(context)) return lines;
  for (const catalogue::RunningWork& work : catalogue::list_running_work(server.locks())) {
    if (is_wanted && !is_wanted(work)) continue;
    lines.push_back(fmt::format("{}{} (pid {}): {}", work.task,
                                work.object.empty() ? "" : " " + work.object, work.pid,
                                catalogue::describe_work(work, now_local().as_double())));
  }
  return lines;
}

}  // namespace barman::cli
