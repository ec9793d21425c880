// What a command that cron runs (-q, no terminal) has told before: the same again every minute, or
// every night, hides what is new. A warning is told once, as long as it comes again within days; an
// error of `cron` once a day; everything else always. The log and the exit code have all of it.
//
// The texts are kept in `<barman_home>/.told-<command>`, a line each. Without that file everything
// is told.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include "base/timestamp.h"
#include "output/reporter.h"

namespace barman::cli {

class ToldBefore {
 public:
  ToldBefore(std::filesystem::path barman_home, std::string command, Timestamp now);

  // Of the two commands that crontabs have: whether they are told of at all.
  static bool is_kept_for(std::string_view command);
  // Whether it is new; it is told then.
  bool is_new(output::MessageLevel level, const std::string& text);
  // Writes the file, when there is something to write. What cannot be written is told again.
  void keep() const;

 private:
  struct Entry {
    std::int64_t told_seconds = 0;
    std::int64_t seen_seconds = 0;
  };

  std::filesystem::path path_;
  std::string command_;
  std::int64_t now_seconds_;
  std::map<std::string, Entry> entries_;
  bool is_changed_ = false;
};

}  // namespace barman::cli
