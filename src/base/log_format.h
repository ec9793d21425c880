// The form of a line of the log: the option log_format, written as for Python's logging module,
// "%(asctime)s [%(process)s] %(name)s %(levelname)s: %(message)s".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/timestamp.h"

namespace barman::log {

struct Record {
  Timestamp time;
  std::int64_t process_id = 0;
  std::string_view component;
  std::string_view level;
  int level_number = 0;
  std::string_view message;
};

class LineFormat {
 public:
  // Flags, width and precision as in Python: "%(levelname)-8s", "%(msecs)03d". A percent sign may
  // be written two or four times: Barman reads values of its configuration twice. Throws Error
  // (config) for a name that records do not have, and for a form without %(message)s.
  static LineFormat parse(std::string_view text);

  std::string render(const Record& record) const;

 private:
  enum class Field { text, time, process, name, level, level_number, message, msecs, created };
  struct Piece {
    Field field = Field::text;
    std::string text;  // of Field::text
    bool is_left = false;
    bool has_zeros = false;
    std::size_t width = 0;
    std::size_t precision = std::string_view::npos;
  };

  // Takes "(name)-8s" off the front.
  static Piece take_field(std::string_view& rest);
  static std::string value_of(const Piece& piece, const Record& record);

  std::vector<Piece> pieces_;
};

// How lines look from now on; without a call, or when the text is refused, as log.h says. Returns
// the reason then. After open_log(), before threads exist.
std::optional<std::string> set_line_format(std::string_view format);

}  // namespace barman::log
