// Rows of show-backup: "label : value" at two depths.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "output/reporter.h"

namespace barman::output {

// A value that may be missing, as Python would print it.
std::string text_or_none(const std::optional<std::string>& value);
template <typename Number>
std::string text_or_none(const std::optional<Number>& value) {
  return value ? std::to_string(*value) : "None";
}

class RowWriter {
 public:
  explicit RowWriter(Reporter& reporter) : reporter_(reporter) {}

  void line(const std::string& text) { reporter_.result_line(text); }
  // "  Status                 : DONE"
  void top(std::string_view label, std::string_view value);
  void top_if(std::string_view label, const std::optional<std::string>& value);
  // "  Catalog information:"
  void begin_section(std::string_view title);
  // "    Backup Method        : postgres"
  void nested(std::string_view label, std::string_view value);
  void end_section() { line(""); }

 private:
  Reporter& reporter_;
};

}  // namespace barman::output
