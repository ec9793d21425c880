// What a view for a terminal must know of it.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace barman::output {

struct Terminal {
  // In columns.
  std::size_t width = 80;
  // Whether characters beyond ASCII can be shown.
  bool has_utf8 = false;
};

// nullopt when the descriptor is no terminal. A terminal that does not tell its width has 80
// columns; the characters follow LC_ALL, LC_CTYPE and LANG.
std::optional<Terminal> find_terminal(int fd);

// Whether colours and movements of the cursor are welcome: not with NO_COLOR (https://no-color.org)
// or TERM=dumb, respectively TERM=dumb.
bool wants_color();
bool can_move_cursor();

// "de_DE.UTF-8", "C.utf8".
bool is_utf8_locale(std::string_view name);

}  // namespace barman::output
