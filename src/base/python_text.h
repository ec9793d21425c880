// Texts as Python's repr() writes them, byte for byte: what backup.info holds, which Barman reads
// back, and what show-servers prints inside of lists.
#pragma once

#include <string>
#include <string_view>

namespace barman {

// In single quotes unless the text has some and no double ones. A byte that is not UTF-8 becomes
// \udcXX, which Python turns back into that byte; characters that are not printable are escaped.
std::string python_quoted(std::string_view text);

}  // namespace barman
