// The manual page of the configuration files, made from the option table.
#pragma once

#include <string>

namespace barman::cli {

// roff source of barman(5).
std::string configuration_man_page();

}  // namespace barman::cli
