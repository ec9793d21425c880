#include "restore/remote_script.h"

#include <fmt/format.h>

namespace barman::restore {
namespace {

constexpr std::string_view kScriptMark{"\0barman-answer\0", 15};

}  // namespace

std::vector<std::string> script_command(std::string_view text,
                                        const std::vector<std::string>& arguments) {
  std::vector<std::string> words = {"sh", "-c", std::string(text), "barman"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  return words;
}

std::optional<std::string> answer_behind_mark(const std::string& output) {
  const std::size_t mark = output.find(kScriptMark);
  if (mark == std::string::npos) return std::nullopt;
  return output.substr(mark + kScriptMark.size());
}

Error script_failure(const host::Host& host, std::string_view what, int exit_code,
                     const std::string& reason) {
  return {ErrorKind::remote,
          fmt::format("{}: \"{}\" ended with exit code {}{}", what, host.describe(), exit_code,
                      reason.empty() ? "" : ": " + reason),
          host.next_step(reason)};
}

host::HostAnswer run_script(const host::Host& host, std::string_view text,
                            const std::vector<std::string>& arguments, const Interrupt& interrupt,
                            std::string_view what, int standard_input) {
  host::HostAnswer answer = host.run(script_command(text, arguments), interrupt, standard_input);
  if (answer.exit_code == 0) return answer;
  throw script_failure(host, what, answer.exit_code, answer.error);
}

}  // namespace barman::restore
