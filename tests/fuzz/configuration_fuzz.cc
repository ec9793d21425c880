#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/error.h"
#include "config/ini_editor.h"
#include "config/ini_reader.h"
#include "fuzz_target.h"

BARMAN_FUZZ_TARGET(configuration) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    barman::config::parse_ini(text, "input");
    barman::config::set_ini_value(text, "main", "archiver", "on", "input");
  } catch (const barman::Error&) {
    // Refusing is right; crashing is not.
  }
  return 0;
}
