// Help, usage and man pages from the command table.
#pragma once

#include <string>

#include "cli/command_table.h"

namespace barman::cli {

// "usage: barman …", wrapped; for the program when `command` is nullptr.
std::string usage_text(const CommandSpec* command);
std::string help_text(const CommandSpec* command);
// "3.20.1 Barman by EnterpriseDB (www.enterprisedb.com)"
std::string version_text();

// roff source of barman(1) and of barman-<command>(1).
std::string program_man_page();
std::string command_man_page(const CommandSpec& command);

}  // namespace barman::cli
