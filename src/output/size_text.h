// Sizes as views show them.
#pragma once

#include <cstdint>
#include <string>

#include "base/text.h"

namespace barman::output {

// "0 B", "16.1 KiB".
inline std::string size_text(std::uint64_t size_bytes) {
  return human_size(static_cast<std::int64_t>(size_bytes));
}

}  // namespace barman::output
