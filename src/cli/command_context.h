// What a command gets: the parts of the program that it may use. Each command is one function in
// its own file, listed in commands.h.
#pragma once

#include "base/interrupt.h"
#include "base/progress.h"
#include "command_line/parsed_arguments.h"
#include "config/configuration.h"
#include "output/reporter.h"

namespace barman::cli {

using command_line::ParsedArguments;

struct CommandContext {
  const config::Configuration& configuration;
  output::Reporter& reporter;
  Progress& progress;
  Interrupt interrupt;
  const ParsedArguments& arguments;
};

}  // namespace barman::cli
