#include "cli/completion_text.h"

#include <utility>

#include "base/text.h"

namespace barman::cli {

std::string zsh_text(std::string_view text) {
  std::string result = replace_all(std::string(text), "'", "'\\''");
  result = replace_all(std::move(result), "[", "\\[");
  result = replace_all(std::move(result), "]", "\\]");
  return replace_all(std::move(result), ":", "\\:");
}

std::string fish_text(std::string_view text) {
  std::string result = replace_all(std::string(text), "\\", "\\\\");
  return "'" + replace_all(std::move(result), "'", "\\'") + "'";
}

}  // namespace barman::cli
