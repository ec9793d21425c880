// Everything that a command says goes through one Reporter: messages (info, warning, error), result
// lines and result documents. Three forms: console text, one JSON object, one Nagios line. No
// command prints by itself.
//
// Thread-safe. Each console message is written and flushed at once. A reader that closes our stdout
// is no error: further output is dropped and the command goes on to its end.
//
//   Reporter reporter({.format = OutputFormat::console});
//   reporter.info("Starting backup …");           // stdout; JSON: "_INFO"; log
//   reporter.result_line("main - Main server");   // stdout; not JSON, not the log
//   reporter.add_json("main", document);          // JSON only
//   return reporter.finish();                     // writes the document, gives the exit code
#pragma once

#include <unistd.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/progress.h"
#include "output/json_value.h"

namespace barman::output {

class ProgressDisplay;

enum class OutputFormat { console, json, nagios };
enum class ColorMode { automatic, always, never };
enum class Color { green, yellow, red };

struct ReporterOptions {
  OutputFormat format = OutputFormat::console;
  bool is_quiet = false;  // no normal line on stdout; with JSON nothing at all
  bool is_debug = false;  // debug messages on stderr
  ColorMode color = ColorMode::automatic;
  int stdout_fd = STDOUT_FILENO;
  int stderr_fd = STDERR_FILENO;
};

enum class MessageLevel { debug, info, warning, error, exception };
using MessageFilter = std::function<bool(MessageLevel level, const std::string& text)>;

// What the Nagios line knows of one server.
struct NagiosServer {
  struct Failure {
    std::string label;
    std::string hint;
  };
  std::string name;
  std::vector<Failure> failures;
  std::uint64_t backup_size_bytes = 0;
  std::uint64_t wal_size_bytes = 0;
};

class Reporter final : public Messages {
 public:
  explicit Reporter(const ReporterOptions& options);
  Reporter(const Reporter&) = delete;
  Reporter& operator=(const Reporter&) = delete;
  ~Reporter() override;

  void debug(const std::string& text) override;
  void info(const std::string& text) override;
  void warning(const std::string& text) override;
  // Makes the exit code that of errors, 1.
  void error(const std::string& text) override;
  void exception(const std::string& text) override;

  // As info(), but not written to the log (lists of files, of WAL names).
  void info_unlogged(const std::string& text) override;
  // A line of a result: console only, neither in JSON nor in the log.
  void result_line(const std::string& text);
  // A member of the top level of the JSON document; replaces an earlier one. Nothing in the other
  // formats.
  void add_json(std::string_view key, JsonValue value);
  // Used by `check --nagios`: from here on only the Nagios lines are printed.
  void use_nagios();
  void add_nagios(NagiosServer server);

  // For commands whose result is bytes (get-wal, sync-info): the descriptor to write to. No
  // document follows the bytes; messages after this go to stderr as console text.
  int begin_raw_output();

  OutputFormat format() const;
  bool is_json() const { return format() == OutputFormat::json; }
  // Whether errors are read by a person: console text, and stderr is a terminal. Scripts get the
  // texts that they know.
  bool has_reader() const;
  // The text in that colour, or as it is when colours are off.
  std::string colored(std::string_view text, Color color) const;

  // The display that is cleared before a message is printed; null for none. Not owned.
  void set_progress_display(ProgressDisplay* display);

  // Messages for which it says false go to the log only; exit codes stay.
  void set_filter(MessageFilter filter);

  // The exit code of errors, instead of 1.
  void set_failure_code(int exit_code);
  // The exit code becomes that of errors without a message (a failed check).
  void mark_failed();
  // The exit code becomes this one, whatever else happens.
  void set_exit_code(int exit_code);
  bool has_failed() const;

  // Writes what is written at the end (JSON document, Nagios lines) and returns the exit code. To
  // be called once.
  int finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace barman::output
