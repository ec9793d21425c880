// Tables of text for a terminal: aligned columns, of which the less important ones are left out
// where the terminal is narrow. Pure.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "output/reporter.h"

namespace barman::output {

// The text in that colour, or as it is.
using Painter = std::function<std::string(std::string_view, Color)>;

enum class Align { left, right };

struct TableColumn {
  std::string_view title;
  Align align = Align::left;
  // 0 = always shown; where the width does not suffice, the column with the highest number goes
  // first.
  unsigned dispensability = 0;
};

struct TableCell {
  std::string text;
  std::optional<Color> color{};
};

struct TextTable {
  std::vector<TableColumn> columns;
  // Each as long as `columns`.
  std::vector<std::vector<TableCell>> rows;
};

// A line of titles and one for each row. A column without any text is left out. `width` in columns
// of the terminal; lines are longer only when nothing is left to leave out.
std::vector<std::string> format_table(const TextTable& table, std::size_t width,
                                      const Painter& paint);

// How many columns of a terminal UTF-8 text takes, one a character.
std::size_t display_width(std::string_view text);
// Without control characters, so that a name cannot move the cursor.
std::string printable(std::string_view text);

}  // namespace barman::output
