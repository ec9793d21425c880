// The tables of all programs, for the tools that make manual pages and completion of them.
#pragma once

#include <vector>

#include "command_line/program_spec.h"

namespace barman::programs {

// barman comes first.
std::vector<const command_line::ProgramSpec*> all_programs();

}  // namespace barman::programs
