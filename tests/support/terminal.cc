#include "support/terminal.h"

#include <fmt/format.h>

#include "base/text.h"

namespace barman::test {

CommandResult run_on_terminal(CommandRequest request, const TerminalOptions& options) {
  std::vector<std::string> words;
  for (const std::string& word : request.argv) words.push_back(shell_quote(word));
  request.argv = {"script",
                  "--quiet",
                  "--return",
                  "--command",
                  fmt::format("stty cols {} && exec {}", options.width, join(words, " ")),
                  "/dev/null"};
  request.environment["SHELL"] = "/bin/sh";
  request.environment["TERM"] = "xterm";
  request.environment["NO_COLOR"] = "";
  for (const auto& [name, value] : options.environment) request.environment[name] = value;
  CommandResult result = run_command(request);
  result.out = replace_all(result.out, "\r\n", "\n");
  return result;
}

}  // namespace barman::test
