// Bytes as lower-case hex, two digits each, and back.
#pragma once

#include <string>
#include <string_view>

namespace barman {

std::string hex_of(std::string_view bytes);
// Throws `internal` for anything else than pairs of hexadecimal digits.
std::string bytes_of_hex(std::string_view hex);

}  // namespace barman
