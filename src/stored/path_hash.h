// What tables of many files keep instead of their paths. Only within one process.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

namespace barman::stored {

inline std::uint64_t hash_of(std::string_view path) { return std::hash<std::string_view>{}(path); }

}  // namespace barman::stored
