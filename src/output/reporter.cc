#include "output/reporter.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <mutex>

#include <fmt/format.h>

#include "base/error.h"
#include "base/log.h"
#include "base/log_components.h"
#include "output/progress_display.h"
#include "output/terminal.h"
#include "output/writer.h"

namespace barman::output {
namespace {

bool wants_colors(const ReporterOptions& options) {
  if (options.format != OutputFormat::console) return false;
  if (options.color != ColorMode::automatic) return options.color == ColorMode::always;
  return ::isatty(options.stdout_fd) == 1 && ::isatty(options.stderr_fd) == 1 && wants_color();
}

std::unique_ptr<Writer> make_writer(OutputStreams& streams, const ReporterOptions& options) {
  switch (options.format) {
    case OutputFormat::json:
      return make_json_writer(streams, options.is_quiet, options.is_debug);
    case OutputFormat::nagios:
      return make_nagios_writer(streams);
    case OutputFormat::console:
      break;
  }
  return make_console_writer(streams, options.is_quiet, options.is_debug, wants_colors(options));
}

log::Level log_level(MessageLevel level) {
  switch (level) {
    case MessageLevel::debug:
      return log::Level::debug;
    case MessageLevel::info:
      return log::Level::info;
    case MessageLevel::warning:
      return log::Level::warning;
    case MessageLevel::error:
    case MessageLevel::exception:
      break;
  }
  return log::Level::error;
}

}  // namespace

std::string_view level_name(MessageLevel level) {
  constexpr std::array<std::string_view, kMessageLevelCount> kNames = {"DEBUG", "INFO", "WARNING",
                                                                       "ERROR", "EXCEPTION"};
  return kNames.at(static_cast<std::size_t>(level));
}

void OutputStream::write(std::string_view text) {
  while (!text.empty() && !is_closed_) {
    const ssize_t count = ::write(fd_, text.data(), text.size());
    if (count >= 0) {
      text.remove_prefix(static_cast<std::size_t>(count));
    } else if (errno == EAGAIN) {
      // A descriptor that somebody else has made non-blocking.
      pollfd wanted = {fd_, POLLOUT, 0};
      ::poll(&wanted, 1, -1);
    } else if (errno != EINTR) {
      is_closed_ = true;
      if (errno != EPIPE) error_number_ = errno;
    }
  }
}

bool OutputStream::is_terminal() const { return ::isatty(fd_) == 1; }

struct Reporter::State {
  explicit State(const ReporterOptions& given)
      : options(given),
        streams{OutputStream(given.stdout_fd), OutputStream(given.stderr_fd)},
        writer(make_writer(streams, given)),
        has_colors(wants_colors(given)) {}

  void clear_progress() const {
    if (display != nullptr) display->clear();
  }
  void say(MessageLevel level, const std::string& text) {
    const std::lock_guard lock(mutex);
    if (level == MessageLevel::error || level == MessageLevel::exception) has_failed = true;
    log::write(log_level(level), log::kCliComponent, text);
    if (filter && !filter(level, text)) return;
    clear_progress();
    writer->message(level, text);
  }

  std::mutex mutex;
  ReporterOptions options;
  OutputStreams streams;
  std::unique_ptr<Writer> writer;
  bool has_colors;
  bool has_failed = false;
  std::optional<int> forced_exit_code;
  int failure_code = 1;
  ProgressDisplay* display = nullptr;
  MessageFilter filter;
};

Reporter::Reporter(const ReporterOptions& options) : state_(std::make_unique<State>(options)) {}
Reporter::~Reporter() = default;

void Reporter::debug(const std::string& text) { state_->say(MessageLevel::debug, text); }
void Reporter::info(const std::string& text) { state_->say(MessageLevel::info, text); }
void Reporter::warning(const std::string& text) { state_->say(MessageLevel::warning, text); }
void Reporter::error(const std::string& text) { state_->say(MessageLevel::error, text); }
void Reporter::exception(const std::string& text) {
  state_->say(MessageLevel::exception,
              log::has_file() ? text + "\nSee log file for more details." : text);
}

void Reporter::info_unlogged(const std::string& text) {
  const std::lock_guard lock(state_->mutex);
  state_->clear_progress();
  state_->writer->message(MessageLevel::info, text);
}

void Reporter::result_line(const std::string& text) {
  const std::lock_guard lock(state_->mutex);
  state_->clear_progress();
  state_->writer->result_line(text);
}

void Reporter::add_json(std::string_view key, JsonValue value) {
  const std::lock_guard lock(state_->mutex);
  state_->writer->add_json(key, std::move(value));
}

void Reporter::use_nagios() {
  const std::lock_guard lock(state_->mutex);
  state_->options.format = OutputFormat::nagios;
  state_->has_colors = false;
  state_->writer = make_nagios_writer(state_->streams);
}

void Reporter::add_nagios(NagiosServer server) {
  const std::lock_guard lock(state_->mutex);
  state_->writer->add_nagios(std::move(server));
}

int Reporter::begin_raw_output() {
  const std::lock_guard lock(state_->mutex);
  state_->clear_progress();
  // Nothing but the bytes may reach stdout from here on: no document, no normal line.
  state_->options.format = OutputFormat::console;
  state_->writer = make_console_writer(state_->streams, true, state_->options.is_debug, false);
  return state_->options.stdout_fd;
}

OutputFormat Reporter::format() const { return state_->options.format; }

bool Reporter::has_reader() const {
  return format() == OutputFormat::console && ::isatty(state_->options.stderr_fd) == 1;
}

std::string Reporter::colored(std::string_view text, Color color) const {
  return state_->has_colors ? paint(text, color) : std::string(text);
}

void Reporter::set_progress_display(ProgressDisplay* display) {
  const std::lock_guard lock(state_->mutex);
  state_->display = display;
}

void Reporter::set_filter(MessageFilter filter) {
  const std::lock_guard lock(state_->mutex);
  state_->filter = std::move(filter);
}

void Reporter::set_failure_code(int exit_code) {
  const std::lock_guard lock(state_->mutex);
  state_->failure_code = exit_code;
}

void Reporter::mark_failed() {
  const std::lock_guard lock(state_->mutex);
  state_->has_failed = true;
}

void Reporter::set_exit_code(int exit_code) {
  const std::lock_guard lock(state_->mutex);
  state_->forced_exit_code = exit_code;
}

bool Reporter::has_failed() const {
  const std::lock_guard lock(state_->mutex);
  return state_->has_failed;
}

int Reporter::finish() {
  const std::lock_guard lock(state_->mutex);
  state_->clear_progress();
  const std::optional<int> own_exit_code = state_->writer->finish(state_->has_failed);
  if (const int error_number = state_->streams.standard_output.error_number(); error_number != 0) {
    const std::string text = "cannot write to standard output: " + errno_text(error_number);
    log::write(log::Level::error, log::kCliComponent, text);
    state_->streams.standard_error.write(fmt::format("ERROR: {}\n", text));
    state_->has_failed = true;
    // Whatever the command has found out: nobody was told. Nagios: UNKNOWN.
    constexpr int kNagiosUnknown = 3;
    if (own_exit_code) return kNagiosUnknown;
    return state_->forced_exit_code && *state_->forced_exit_code != 0 ? *state_->forced_exit_code
                                                                      : state_->failure_code;
  }
  if (own_exit_code) return *own_exit_code;
  if (state_->forced_exit_code) return *state_->forced_exit_code;
  return state_->has_failed ? state_->failure_code : 0;
}

}  // namespace barman::output
