// What the programs for buckets have in common: options, exit codes, the log, and the way from a
// command line to a store.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/interrupt.h"
#include "cloud/bucket_names.h"
#include "command_line/parsed_arguments.h"
#include "command_line/program_spec.h"
#include "object_store/object_store.h"

namespace barman::cloud_cli {

inline constexpr int kExitDone = 0;
// The bucket could be reached, and what was asked for cannot be.
inline constexpr int kExitOperationFailed = 1;
inline constexpr int kExitNoStore = 2;
inline constexpr int kExitBadLine = 3;
inline constexpr int kExitOtherError = 4;

// Ends a program with this exit code: `text` is an error of the log.
class ProgramEnd : public Error {
 public:
  ProgramEnd(int exit_code, std::string text, std::string hint = {})
      : Error(ErrorKind::conflict, std::move(text), std::move(hint)), exit_code_(exit_code) {}
  int exit_code() const noexcept { return exit_code_; }

 private:
  int exit_code_;
};

// What is in the first place of a command line.
enum class UrlRole { source, destination };

// Version, style, exit codes, the common options with those of the program behind them, and the
// positionals URL and server name with those of the program behind them.
struct CloudProgramParts {
  std::string_view name;
  std::string_view summary;
  std::string_view description;
  UrlRole url = UrlRole::source;
  bool takes_customer_key = true;
  std::vector<command_line::OptionSpec> options = {};
  std::vector<command_line::PositionalSpec> positionals = {};
};
command_line::ProgramSpec cloud_program(const CloudProgramParts& parts);

// Options that several programs have.
std::vector<command_line::OptionSpec> upload_options();
std::vector<command_line::OptionSpec> tag_options();
command_line::OptionSpec cloud_compression_option(std::string_view name,
                                                  std::string_view short_name = {});
command_line::OptionSpec format_option();
command_line::PositionalSpec backup_id_positional();
void append_options(std::vector<command_line::OptionSpec>& options,
                    const std::vector<command_line::OptionSpec>& more);

// Of `--tag` and `--tags`; `key` is that of the first ("tag", "history_tag"). Throws ProgramEnd
// (3) for a malformed one, (4) for more than a store takes.
object_store::ObjectTags parse_tags(const command_line::ParsedArguments& arguments,
                                    std::string_view key);

// Runs `work` with the log as -v and -q say; what it throws is told as "Barman cloud <what>
// exception: …". Returns the exit code.
using CloudWork = int (*)(const command_line::ParsedArguments& arguments);
int run_guarded(std::string_view what, const command_line::ParsedArguments& arguments,
                CloudWork work);
// The signals of this run, for those who transfer much; asked for first, before any thread.
Interrupt cloud_interrupt();
// For programs that PostgreSQL calls: it takes an exit code for an answer about the file. A run
// that a signal has ended, and that has cleaned up, ends by that signal; others return the exit
// code.
int end_as_signalled(int exit_code);

// A store and its server name, as a command line says. Nothing is asked for yet.
struct OpenBucket {
  std::unique_ptr<object_store::ObjectStore> store;
  // Where Barman puts annotations of a URL with a slash at its end; nullptr otherwise.
  std::unique_ptr<object_store::ObjectStore> doubled;
  cloud::BucketLayout layout;

  cloud::CloudCatalogue catalogue() const { return {*store, layout, doubled.get()}; }
};
// With what the common options say, --sse-customer-key not among them.
object_store::StoreOptions store_options(const command_line::ParsedArguments& arguments);
// With --sse-customer-key, for programs that have it.
object_store::StoreOptions keyed_store_options(const command_line::ParsedArguments& arguments);
// And with what upload_options() say. Throws `config` for what does not go together.
object_store::StoreOptions upload_store_options(const command_line::ParsedArguments& arguments);
// What takes long before a first request, begins at once, in the background, or when one is
// certain: a program that may end without a request waits for it, too.
enum class FirstRequest { is_certain, perhaps };
OpenBucket open_bucket(const command_line::ParsedArguments& arguments,
                       const object_store::StoreOptions& options,
                       FirstRequest request = FirstRequest::is_certain);
OpenBucket open_bucket(const command_line::ParsedArguments& arguments);

// --test: what it finds out, as an exit code.
int test_connection(object_store::ObjectStore& store);

// To standard output. Throws when it cannot be written.
void print_result(std::string_view text);

}  // namespace barman::cloud_cli
