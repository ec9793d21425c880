// Help and usage texts from the table of a program.
#pragma once

#include <string>

#include "command_line/parser.h"
#include "command_line/program_spec.h"

namespace barman::command_line {

// "usage: barman …"; for the program when `command` is nullptr.
std::string usage_text(const ProgramSpec& program, const CommandSyntax* command = nullptr);
std::string help_text(const ProgramSpec& program, const CommandSyntax* command = nullptr);
// One line of usage, and "<program>: error: <message>" as the last line.
std::string usage_error_text(const ProgramSpec& program, const UsageError& error);

// For help and manual pages: "-j NJOBS, --jobs NJOBS", "--reuse-backup [{copy,link,off}]".
std::string names_with_values(const OptionSpec& option);
// "server_name [server_name ...]"
std::string positional_usage(const PositionalSpec& spec);
// With the default value.
std::string option_help(const OptionSpec& option);

}  // namespace barman::command_line
