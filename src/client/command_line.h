// Command lines of the small client programs, from a table of options.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace barman::client {

// What a value is, for completion.
enum class ClientValue { text, host, file, directory };

struct ClientOption {
  char short_name = 0;
  std::string_view name;
  // "" = a flag.
  std::string_view metavar{};
  std::string_view help{};
  ClientValue value = ClientValue::text;
};

struct ClientPositional {
  std::string_view metavar;
  std::string_view help{};
  ClientValue value = ClientValue::text;
};

// An exit code, or a range of them, and what it means.
struct ClientExit {
  std::string_view code;
  std::string_view meaning;
};

// Help, manual page and completion are made from this.
struct ClientProgram {
  std::string_view name;
  // One line without a full stop: "send a WAL file to Barman on another host".
  std::string_view summary;
  // Of the setting of PostgreSQL that runs the program.
  std::string_view example;
  // More, for the manual page.
  std::string_view description{};
  std::vector<ClientOption> options;
  std::vector<ClientPositional> positionals;
  std::vector<ClientExit> exits{};

  // With -h and -V, which every program has, in front.
  std::vector<ClientOption> all_options() const;

  std::string usage() const;
  std::string help() const;
};

// Ends the program with code 2.
class ClientUsageError final : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct ClientArguments {
  enum class Request { run, help, version } request = Request::run;
  // The long names as they were given, in order; of an option with a value the last one counts.
  std::vector<std::string> given;
  std::map<std::string, std::string, std::less<>> values;
  std::vector<std::string> positionals;

  bool has(std::string_view name) const;
  std::optional<std::string> find(std::string_view name) const;
  std::string value_or(std::string_view name, std::string_view other) const;
  // Throws ClientUsageError unless it is a number that is not negative.
  std::int64_t number_or(std::string_view name, std::int64_t other) const;
};

// `arguments` without the program's name. -h and -V are known to every program. Uses getopt's
// global state.
ClientArguments parse_client_line(const ClientProgram& program,
                                  const std::vector<std::string>& arguments);

// One line to stderr: PostgreSQL puts it into its log.
void tell(const std::string& text);

// A whole program: answers --help and --version, hands other command lines to `run`, and tells what
// is thrown. Returns the exit code.
int run_client(const ClientProgram& program, int argc, char** argv,
               int (*run)(const ClientArguments& arguments));

}  // namespace barman::client
