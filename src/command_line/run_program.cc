#include "command_line/run_program.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <exception>
#include <vector>

#include <fmt/format.h>

#include "base/error.h"
#include "base/program_start.h"
#include "base/text.h"
#include "base/unexpected.h"
#include "command_line/help.h"

namespace barman::command_line {
namespace {

int print(const ProgramSpec& program, const std::string& text) {
  if (write_plainly(STDOUT_FILENO, text)) return 0;
  tell("ERROR: cannot write to standard output: " + errno_text(errno));
  return program.failure_exit_code;
}

}  // namespace

void tell(const std::string& text) { std::fputs((text + "\n").c_str(), stderr); }

int run_program(const ProgramSpec& program, int argc, char** argv,
                int (*run)(const ParsedArguments& arguments)) {
  // A pipe whose reader has gone is an error to report, not the end.
  ::signal(SIGPIPE, SIG_IGN);
  try {
    prepare_program();
    const ParsedLine line = parse_line(program, {argv + std::min(argc, 1), argv + argc});
    switch (line.request) {
      case Request::help:
        return print(program, help_text(program));
      case Request::version:
        return print(program, program.version + "\n");
      case Request::run:
        return run(line.arguments);
    }
  } catch (const UsageError& error) {
    std::fputs(usage_error_text(program, error).c_str(), stderr);
    return program.usage_exit_code;
  } catch (const std::exception& error) {
    tell(fmt::format("ERROR: {}", as_error(error).describe_with_hint()));
  }
  return program.failure_exit_code;
}

}  // namespace barman::command_line
