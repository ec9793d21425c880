#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/error.h"
#include "config/config_update.h"
#include "fuzz_target.h"

BARMAN_FUZZ_TARGET(config_update) {
  static const barman::config::Configuration configuration;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  barman::config::parse_change_queue(text);
  try {
    barman::config::parse_update_request(text, configuration);
  } catch (const barman::Error&) {
    // Refusing is right; crashing is not.
  }
  return 0;
}
