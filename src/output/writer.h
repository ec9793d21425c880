// The forms of output behind the Reporter. Internal to this folder; called under its lock.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "output/json_value.h"
#include "output/reporter.h"

namespace barman::output {

inline constexpr std::size_t kMessageLevelCount = 5;
// "DEBUG", "INFO", …
std::string_view level_name(MessageLevel level);

// Writes all of `text` to a descriptor. After a failure (a closed pipe, a full disk) everything is
// dropped.
class OutputStream {
 public:
  explicit OutputStream(int fd) : fd_(fd) {}
  void write(std::string_view text);
  // errno of a failed write other than EPIPE, 0 when there was none.
  int error_number() const { return error_number_; }
  bool is_terminal() const;

 private:
  int fd_;
  bool is_closed_ = false;
  int error_number_ = 0;
};

struct OutputStreams {
  OutputStream standard_output;
  OutputStream standard_error;
};

class Writer {
 public:
  virtual ~Writer() = default;
  virtual void message(MessageLevel level, const std::string& text) = 0;
  virtual void result_line(const std::string&) {}
  virtual void add_json(std::string_view, JsonValue&&) {}
  virtual void add_nagios(NagiosServer&&) {}
  // Writes what comes at the end; returns the exit code where this form has its own.
  virtual std::optional<int> finish(bool has_failed) = 0;
};

std::unique_ptr<Writer> make_console_writer(OutputStreams& streams, bool is_quiet, bool is_debug,
                                            bool has_colors);
std::unique_ptr<Writer> make_json_writer(OutputStreams& streams, bool is_quiet, bool is_debug);
std::unique_ptr<Writer> make_nagios_writer(OutputStreams& streams);

std::string paint(std::string_view text, Color color);

}  // namespace barman::output
