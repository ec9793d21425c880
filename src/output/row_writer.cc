#include "output/row_writer.h"

#include <fmt/format.h>

namespace barman::output {

std::string text_or_none(const std::optional<std::string>& value) { return value.value_or("None"); }

void RowWriter::top(std::string_view label, std::string_view value) {
  line(fmt::format("  {:<23}: {}", label, value));
}

void RowWriter::top_if(std::string_view label, const std::optional<std::string>& value) {
  if (value) top(label, *value);
}

void RowWriter::begin_section(std::string_view title) { line(fmt::format("  {}:", title)); }

void RowWriter::nested(std::string_view label, std::string_view value) {
  line(fmt::format("    {:<21}: {}", label, value));
}

}  // namespace barman::output
