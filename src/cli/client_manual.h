// Manual pages and completion of the programs for database hosts, made from their own tables.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "client/command_line.h"

namespace barman::cli {

// barman-wal-archive, barman-wal-restore.
std::vector<const client::ClientProgram*> client_programs();
// nullptr for any other name.
const client::ClientProgram* find_client_program(std::string_view name);

// roff source of section 1.
std::string client_man_page(const client::ClientProgram& program);

std::string client_bash_completion(const client::ClientProgram& program);
std::string client_zsh_completion(const client::ClientProgram& program);
std::string client_fish_completion(const client::ClientProgram& program);

}  // namespace barman::cli
