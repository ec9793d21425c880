#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/error.h"
#include "config/ini_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    barman::config::parse_ini({reinterpret_cast<const char*>(data), size}, "input");
  } catch (const barman::Error&) {
    // Refusing is right; crashing is not.
  }
  return 0;
}
