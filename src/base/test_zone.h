// The time zone of this host as a test wants it.
#pragma once

#include <cstdlib>
#include <ctime>
#include <optional>
#include <string>

namespace barman {

// Central European time, by its rules, so that no zone files are needed.
inline constexpr const char* kCentralEurope = "CET-1CEST,M3.5.0,M10.5.0/3";

// Sets TZ for its own life. Not for tests that have other threads meanwhile.
class LocalZone {
 public:
  explicit LocalZone(const char* zone) {
    if (const char* before = std::getenv("TZ")) before_ = before;
    set(zone);
  }
  ~LocalZone() {
    if (before_) {
      set(before_->c_str());
    } else {
      ::unsetenv("TZ");
      ::tzset();
    }
  }
  LocalZone(const LocalZone&) = delete;
  LocalZone& operator=(const LocalZone&) = delete;

 private:
  static void set(const char* zone) {
    ::setenv("TZ", zone, 1);
    ::tzset();
  }

  std::optional<std::string> before_;
};

}  // namespace barman
