#include "output/text_table.h"

#include <algorithm>

namespace barman::output {
namespace {

constexpr std::string_view kGap = "  ";

struct ShownColumn {
  std::size_t index = 0;
  std::size_t width = 0;
};

std::vector<ShownColumn> columns_with_text(const TextTable& table) {
  std::vector<ShownColumn> shown;
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    std::size_t width = 0;
    for (const auto& row : table.rows) width = std::max(width, display_width(row.at(i).text));
    if (width == 0) continue;
    shown.push_back({.index = i, .width = std::max(width, table.columns[i].title.size())});
  }
  return shown;
}

std::size_t total_width(const std::vector<ShownColumn>& shown) {
  std::size_t width = 0;
  for (const ShownColumn& column : shown) width += column.width + kGap.size();
  return width == 0 ? 0 : width - kGap.size();
}

void leave_out(std::vector<ShownColumn>& shown, const TextTable& table, std::size_t width) {
  while (total_width(shown) > width) {
    const auto least =
        std::max_element(shown.begin(), shown.end(), [&](const auto& a, const auto& b) {
          return table.columns[a.index].dispensability < table.columns[b.index].dispensability;
        });
    if (least == shown.end() || table.columns[least->index].dispensability == 0) return;
    shown.erase(least);
  }
}

// Blanks stand outside of the colour; none at the end of a line.
std::string format_row(const std::vector<ShownColumn>& shown, const TextTable& table,
                       const std::function<TableCell(std::size_t)>& cell_of, const Painter& paint) {
  std::string line;
  std::size_t blanks = 0;
  for (const ShownColumn& column : shown) {
    const TableCell cell = cell_of(column.index);
    const std::size_t padding = column.width - display_width(cell.text);
    const bool is_right = table.columns[column.index].align == Align::right;
    if (is_right) blanks += padding;
    if (!cell.text.empty()) {
      line.append(blanks, ' ');
      blanks = 0;
      line += cell.color ? paint(cell.text, *cell.color) : cell.text;
    }
    blanks += (is_right ? 0 : padding) + kGap.size();
  }
  return line;
}

}  // namespace

std::size_t display_width(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char byte) {
    return (static_cast<unsigned char>(byte) & 0xC0U) != 0x80U;
  }));
}

std::string printable(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const auto next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0U;
    // U+0080 to U+009F are control characters as well.
    const bool is_c1 = byte == 0xC2U && next >= 0x80U && next < 0xA0U;
    if (is_c1) ++i;
    result.push_back(is_c1 || byte < 0x20U || byte == 0x7FU ? '?' : static_cast<char>(byte));
  }
  return result;
}

std::vector<std::string> format_table(const TextTable& table, std::size_t width,
                                      const Painter& paint) {
  std::vector<ShownColumn> shown = columns_with_text(table);
  leave_out(shown, table, width);
  std::vector<std::string> lines;
  lines.push_back(format_row(
      shown, table,
      [&](std::size_t index) { return TableCell{.text = std::string(table.columns[index].title)}; },
      paint));
  for (const auto& row : table.rows) {
    lines.push_back(format_row(
        shown, table, [&](std::size_t index) { return row.at(index); }, paint));
  }
  return lines;
}

}  // namespace barman::output
