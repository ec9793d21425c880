// The life of a small program: one table, one function.
#pragma once

#include <string>

#include "command_line/parsed_arguments.h"
#include "command_line/parser.h"
#include "command_line/program_spec.h"

namespace barman::command_line {

// One line to stderr: PostgreSQL puts it into its log.
void tell(const std::string& text);

// A program without commands: answers --help and --version, hands other command lines to `run`, and
// tells what is thrown. Returns the exit code.
int run_program(const ProgramSpec& program, int argc, char** argv,
                int (*run)(const ParsedArguments& arguments));

}  // namespace barman::command_line
