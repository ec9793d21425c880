#include "output/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "base/text.h"

namespace barman::output {
namespace {

// The first of the variables that is set and not empty, as setlocale(3) reads them.
std::string_view locale_of_characters() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe)
    if (value != nullptr && *value != '\0') return value;
  }
  return "C";
}

}  // namespace

bool can_move_cursor() {
  const char* const terminal = std::getenv("TERM");  // NOLINT(concurrency-mt-unsafe)
  return terminal == nullptr || std::string_view(terminal) != "dumb";
}

bool wants_color() {
  const char* const refusal = std::getenv("NO_COLOR");  // NOLINT(concurrency-mt-unsafe)
  return (refusal == nullptr || *refusal == '\0') && can_move_cursor();
}

bool is_utf8_locale(std::string_view name) {
  const std::string lower = to_lower(name);
  return lower.find(".utf-8") != std::string::npos || lower.find(".utf8") != std::string::npos;
}

std::optional<Terminal> find_terminal(int fd) {
  if (::isatty(fd) != 1) return std::nullopt;
  Terminal terminal;
  winsize size = {};
  if (::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col != 0) terminal.width = size.ws_col;
  terminal.has_utf8 = is_utf8_locale(locale_of_characters());
  return terminal;
}

}  // namespace barman::output
