#include "base/log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <mutex>
#include <utility>

#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>

#include "base/durable.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log_format.h"
#include "base/secrets.h"
#include "base/text.h"
#include "base/timestamp.h"

namespace barman::log {
namespace {

// Appends to a file and opens it again when its name leads to another inode, so that log rotation
// needs no signal and no restart.
class WatchedFileSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit WatchedFileSink(std::filesystem::path path) : path_(std::move(path)) { open(); }

 protected:
  void sink_it_(const spdlog::details::log_msg& record) override {
    reopen_if_rotated();
    spdlog::memory_buf_t buffer;
    formatter_->format(record, buffer);
    write_full(fd_, std::as_bytes(std::span(buffer.data(), buffer.size())), path_);
  }
  void flush_() override {}

 private:
  void open() {
    fd_ = open_file(path_, O_WRONLY | O_APPEND | O_CREAT, 0640, Links::follow);
    struct stat status = {};
    if (::fstat(fd_.get(), &status) == 0) {
      device_ = status.st_dev;
      inode_ = status.st_ino;
    }
  }
  void reopen_if_rotated() {
    struct stat status = {};
    if (::stat(path_.c_str(), &status) != 0 || status.st_ino != inode_ || status.st_dev != device_)
      open();
  }

  std::filesystem::path path_;
  Fd fd_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

class StderrSink final : public spdlog::sinks::base_sink<std::mutex> {
 protected:
  void sink_it_(const spdlog::details::log_msg& record) override {
    spdlog::memory_buf_t buffer;
    formatter_->format(record, buffer);
    // Nothing can be done about a closed stderr.
    [[maybe_unused]] const ssize_t count = ::write(STDERR_FILENO, buffer.data(), buffer.size());
  }
  void flush_() override {}
};

// Held in one place; set once at start-up, before threads exist.
std::shared_ptr<spdlog::sinks::sink> g_sink;
int g_minimum_level = 100;
std::optional<LineFormat> g_line_format;
bool g_has_file = false;
std::mutex g_server_mutex;
std::string g_server;

std::string_view level_name(Level level) {
  switch (level) {
    case Level::debug:
      return "DEBUG";
    case Level::info:
      return "INFO";
    case Level::warning:
      return "WARNING";
    case Level::error:
      return "ERROR";
    case Level::critical:
      return "CRITICAL";
  }
  return "INFO";
}

// " [main]"
std::string server_mark() {
  const std::lock_guard lock(g_server_mutex);
  return g_server.empty() ? "" : fmt::format(" [{}]", g_server);
}

void write_line(Level level, std::string_view component, std::string_view message) {
  const std::string text = g_line_format
                               ? g_line_format->render({.time = now_local(),
                                                        .process_id = ::getpid(),
                                                        .component = component,
                                                        .level = level_name(level),
                                                        .level_number = static_cast<int>(level),
                                                        .message = message})
                               : fmt::format("{} {}: {}", component, level_name(level), message);
  try {
    g_sink->log(spdlog::details::log_msg(spdlog::string_view_t(), spdlog::level::info, text));
  } catch (const Error&) {
    // A full disk under the log must not end a backup.
  }
}

}  // namespace

std::optional<std::string> open_log(const std::optional<std::filesystem::path>& file,
                                    int minimum_level) {
  g_minimum_level = minimum_level;
  g_line_format.reset();
  std::optional<std::string> failure;
  std::shared_ptr<spdlog::sinks::sink> sink;
  if (file) {
    try {
      make_directories(file->parent_path());
      sink = std::make_shared<WatchedFileSink>(*file);
    } catch (const Error& error) {  // Logging falls back to stderr; the caller warns.
      failure = error.message();
    }
  }
  g_has_file = sink != nullptr;
  if (!sink) sink = std::make_shared<StderrSink>();
  sink->set_formatter(std::make_unique<spdlog::pattern_formatter>("%Y-%m-%d %H:%M:%S,%e [%P] %v"));
  g_sink = std::move(sink);
  return failure;
}

std::optional<std::string> set_line_format(std::string_view format) {
  try {
    g_line_format = LineFormat::parse(format);
  } catch (const Error& error) {  // A log in another form is better than none.
    return error.describe_with_hint();
  }
  if (g_sink) g_sink->set_formatter(std::make_unique<spdlog::pattern_formatter>("%v"));
  return std::nullopt;
}

bool is_enabled(Level level) { return g_sink && static_cast<int>(level) >= g_minimum_level; }

bool has_file() { return g_has_file; }

void set_server(std::string server) {
  const std::lock_guard lock(g_server_mutex);
  g_server = std::move(server);
}

ServerScope::ServerScope(std::string server) {
  const std::lock_guard lock(g_server_mutex);
  before_ = std::exchange(g_server, std::move(server));
}

ServerScope::~ServerScope() { set_server(std::move(before_)); }

void write(Level level, std::string_view component, std::string_view message) {
  if (!is_enabled(level)) return;
  const std::string shown = visible_text(mask_passwords(message));
  const std::string server = server_mark();
  std::string_view rest = shown;
  for (bool is_first = true; is_first || !rest.empty(); is_first = false) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    write_line(level, component, std::string(rest.substr(0, end)) + server);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
}

}  // namespace barman::log
