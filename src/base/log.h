// The program's log: "2026-11-21 01:49:18,606 [3010] barman.backup INFO: text [main]". Each line of
// a message has all of it: time, level and, while one is worked on, the server. Passwords in
// connection strings are masked here, for every record.
//
// open_log() is called once by the program; before that, records are dropped. Thread-safe.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include <fmt/format.h>

namespace barman::log {

enum class Level { debug = 10, info = 20, warning = 30, error = 40, critical = 50 };

// Appends to `file` (its directory is created, and it is re-opened after rotation); without a file,
// or when it cannot be opened, to stderr. Returns the reason when a requested file could not be
// opened.
std::optional<std::string> open_log(const std::optional<std::filesystem::path>& file,
                                    int minimum_level);

// Whether there is a file in which somebody could look: nothing refers to a log when there is none.
bool has_file();

// The server that records are about, until the end of the scope; "" for none.
class ServerScope {
 public:
  explicit ServerScope(std::string server);
  ServerScope(const ServerScope&) = delete;
  ServerScope& operator=(const ServerScope&) = delete;
  ~ServerScope();

 private:
  std::string before_;
};
// The same until the next one, for programs that work on one server.
void set_server(std::string server);

bool is_enabled(Level level);
void write(Level level, std::string_view component, std::string_view message);

template <typename... Args>
void debug(std::string_view component, fmt::format_string<Args...> format, Args&&... args) {
  if (is_enabled(Level::debug))
    write(Level::debug, component, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void info(std::string_view component, fmt::format_string<Args...> format, Args&&... args) {
  if (is_enabled(Level::info))
    write(Level::info, component, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void warning(std::string_view component, fmt::format_string<Args...> format, Args&&... args) {
  if (is_enabled(Level::warning))
    write(Level::warning, component, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void error(std::string_view component, fmt::format_string<Args...> format, Args&&... args) {
  if (is_enabled(Level::error))
    write(Level::error, component, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace barman::log
