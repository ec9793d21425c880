#include <fmt/format.h>

#include "base/secrets.h"
#include "base/text.h"
#include "output/writer.h"

namespace barman::output {
namespace {

class ConsoleWriter final : public Writer {
 public:
  ConsoleWriter(OutputStreams& streams, bool is_quiet, bool is_debug, bool has_colors)
      : streams_(streams),
        is_quiet_(is_quiet),
        is_debug_(is_debug),
        has_colors_(has_colors),
        is_terminal_(streams.standard_output.is_terminal()) {}

  void message(MessageLevel level, const std::string& text) override {
    if (level == MessageLevel::info) return result_line(text);
    if (level == MessageLevel::debug && !is_debug_) return;
    std::string line = fmt::format("{}: {}", level_name(level), visible_text(mask_passwords(text)));
    if (has_colors_ && level != MessageLevel::debug) {
      line = paint(line, level == MessageLevel::warning ? Color::yellow : Color::red);
    }
    streams_.standard_error.write(line + "\n");
  }

  void result_line(const std::string& text) override {
    if (is_quiet_) return;
    // Programs get names as they are ("list-files | tar -T -"), people's terminals do not.
    const std::string masked = mask_passwords(text);
    streams_.standard_output.write((is_terminal_ ? visible_text(masked) : masked) + "\n");
  }

  std::optional<int> finish(bool) override { return std::nullopt; }

 private:
  OutputStreams& streams_;
  bool is_quiet_;
  bool is_debug_;
  bool has_colors_;
  bool is_terminal_;
};

}  // namespace

std::string paint(std::string_view text, Color color) {
  const int code = color == Color::green ? 32 : color == Color::yellow ? 33 : 31;
  return fmt::format("\033[{}m{}\033[0m", code, text);
}

std::unique_ptr<Writer> make_console_writer(OutputStreams& streams, bool is_quiet, bool is_debug,
                                            bool has_colors) {
  return std::make_unique<ConsoleWriter>(streams, is_quiet, is_debug, has_colors);
}

}  // namespace barman::output
