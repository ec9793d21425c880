// Manual pages (man(7)) from the table of a program.
#pragma once

#include <string>

#include "command_line/program_spec.h"

namespace barman::command_line {

// roff source of section 1: of the program, and of one of its commands (barman-<command>).
std::string program_man_page(const ProgramSpec& program);
std::string command_man_page(const ProgramSpec& program, const CommandSyntax& command);

}  // namespace barman::command_line
