// Quoting for a shell that we do not see: that of another host behind ssh, or that of PostgreSQL.
#pragma once

#include <string>
#include <string_view>

namespace barman::host {

// The word as it is while every shell takes it for itself, as all ordinary names are: forced
// commands and the wrappers of restricted keys know them so. Else in single quotes, whatever bytes
// it has.
std::string shell_word(std::string_view word);

}  // namespace barman::host
