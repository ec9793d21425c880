#include "cli/table_style.h"

#include <unistd.h>

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

}  // namespace barman::cli
