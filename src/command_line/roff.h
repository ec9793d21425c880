// Pieces of manual pages (man(7) macros).
#pragma once

#include <string>
#include <string_view>

namespace barman::command_line {

// The text without special meaning for roff.
std::string roff(std::string_view text);
std::string man_header(std::string_view title, int section);
// A tagged paragraph: the name in bold, the text below it.
std::string man_entry(std::string_view name, std::string_view text);

}  // namespace barman::command_line
