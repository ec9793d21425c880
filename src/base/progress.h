// How flows tell what they do, without knowing who listens. output/ implements both interfaces; the
// messages and their levels are part of Barman, progress is not.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace barman {

// Messages for the user. Thread-safe. info() is hidden by --quiet; warning() and error() go to
// stderr; error() makes the exit code 1.
class Messages {
 public:
  virtual ~Messages() = default;
  virtual void debug(const std::string& text) = 0;
  virtual void info(const std::string& text) = 0;
  // As info(), but not written to the log (lists of files, of WAL names).
  virtual void info_unlogged(const std::string& text) { info(text); }
  virtual void warning(const std::string& text) = 0;
  virtual void error(const std::string& text) = 0;
  // An unexpected failure: "EXCEPTION: text" + "See log file for more details.".
  virtual void exception(const std::string& text) = 0;
};

// Progress of one long transfer. Thread-safe; cheap enough to be called for every chunk.
class Progress {
 public:
  virtual ~Progress() = default;
  // total_bytes 0 = unknown.
  virtual void begin(std::string_view what, std::uint64_t total_bytes) = 0;
  virtual void advance(std::uint64_t size_bytes) = 0;
  // The file or tablespace being worked on.
  virtual void set_item(std::string_view item) = 0;
  virtual void end() = 0;
  // What is done or waited for without a transfer, and how long at most; until the next of begin()
  // and phase().
  virtual void phase(std::string_view) {}
};

class NoProgress final : public Progress {
 public:
  void begin(std::string_view, std::uint64_t) override {}
  void advance(std::uint64_t) override {}
  void set_item(std::string_view) override {}
  void end() override {}
};

}  // namespace barman
