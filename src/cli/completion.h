// Completion scripts for shells, made from the command table. Commands, options and words come from
// the table; names of servers and IDs of backups come from barman itself while the user types.
#pragma once

#include <string>

namespace barman::cli {

std::string bash_completion();
std::string zsh_completion();
std::string fish_completion();

}  // namespace barman::cli
