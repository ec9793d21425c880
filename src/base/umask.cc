#include "base/umask.h"

#include <charconv>
#include <string>
#include <string_view>

#include "base/fd.h"

namespace barman {

mode_t current_umask() {
  constexpr mode_t kAllPermissions = 0777;
  constexpr std::string_view kLabel = "Umask:";
  const std::string text = find_and_read_file("/proc/self/status").value_or("");
  std::size_t begin = text.find(kLabel);
  if (begin == std::string::npos) return kAllPermissions;
  begin = text.find_first_not_of(" \t", begin + kLabel.size());
  mode_t value = 0;
  constexpr int kOctal = 8;
  if (begin == std::string::npos ||
      std::from_chars(text.data() + begin, text.data() + text.size(), value, kOctal).ec !=
          std::errc()) {
    return kAllPermissions;
  }
  return value & kAllPermissions;
}

}  // namespace barman
