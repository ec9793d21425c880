// The tables of all programs, for the tools that make manual pages and completion of them.
#pragma once

#include <string_view>

#include "command_line/program_spec.h"

namespace barman::programs {

// nullptr for any other name.
const command_line::ProgramSpec* find_program(std::string_view name);

}  // namespace barman::programs
