// ~/.aws/config and ~/.aws/credentials: whatever is in them, no line ends the program, and what is
// read is written in a way that is read again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "fuzz_target.h"
#include "object_store/aws_settings.h"
#include "object_store/store_url.h"

BARMAN_FUZZ_TARGET(aws_settings) {
  using namespace barman::object_store;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const auto& [section, settings] : parse_aws_file(text)) {
    for (const auto& [key, value] : settings) {
      if (value.find('\n') != std::string::npos || key.find('\n') != std::string::npos)
        std::abort();
    }
  }
  if (const auto arn = find_arn(text); arn && (arn->access_point.empty() || arn->region.empty())) {
    std::abort();
  }
  return 0;
}
