#include "archive/synchronous_standby.h"

#include <string>

#include "base/text.h"

namespace barman::archive {

bool is_synchronous_standby(std::string_view setting, std::string_view application_name) {
  const std::size_t open = setting.find('(');
  const std::size_t close = setting.rfind(')');
  if (open != std::string_view::npos && close != std::string_view::npos && close > open) {
    setting = setting.substr(open + 1, close - open - 1);
  }
  for (const std::string& part : split(setting, ',')) {
    std::string_view name = strip(part);
    if (name.size() >= 2 && name.front() == '"' && name.back() == '"') {
      name = name.substr(1, name.size() - 2);
    }
    // PostgreSQL compares these names without regard to case.
    if (name == "*" || (!name.empty() && to_lower(name) == to_lower(application_name))) return true;
  }
  return false;
}

}  // namespace barman::archive
