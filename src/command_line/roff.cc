#include "command_line/roff.h"

#include <fmt/format.h>

#include "base/text.h"
#include "version.h"

namespace barman::command_line {

std::string roff(std::string_view text) {
  std::string result = replace_all(std::string(text), "\\", "\\e");
  result = replace_all(std::move(result), "-", "\\-");
  if (result.starts_with('.') || result.starts_with('\'')) result.insert(0, "\\&");
  return result;
}

std::string man_header(std::string_view title, int section) {
  return fmt::format(".TH {} {} \"\" \"Barman {}\" \"Barman manual\"\n", roff(to_upper(title)),
                     section, kVersion);
}

std::string man_entry(std::string_view name, std::string_view text) {
  return fmt::format(".TP\n.B {}\n{}\n", roff(name), roff(text));
}

}  // namespace barman::command_line
