// Short shell scripts that a restore runs on another host, and their answers: fields, each with a
// NUL behind it. What a login shell there says beforehand (a .bashrc that talks) is left out.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/interrupt.h"
#include "host/host.h"

namespace barman::restore {

// Before the answer of a script, which prints it first: kScriptMark.
inline constexpr std::string_view kPrintMark = "printf '\\000barman-answer\\000'\n";

// What is started there: `text` with its arguments as $1 and so on.
std::vector<std::string> script_command(std::string_view text,
                                        const std::vector<std::string>& arguments);
// Behind the mark. nullopt when it is not there: then it was no shell that answered, or it has
// failed before.
std::optional<std::string> answer_behind_mark(const std::string& output);

// "00 ff 0a", as od(1) prints it; nothing where the text is something else.
std::string bytes_of_hex(const std::string& text);

// What a script that has failed throws: "what: ... ended with exit code 3: reason".
Error script_failure(const host::Host& host, std::string_view what, int exit_code,
                     const std::string& reason);

// Runs to the end; its input is this descriptor, or nothing. Throws script_failure().
host::HostAnswer run_script(const host::Host& host, std::string_view text,
                            const std::vector<std::string>& arguments, const Interrupt& interrupt,
                            std::string_view what, int standard_input = -1);

// A script whose answer is long, or comes slowly.
struct StreamedScript {
  std::string_view text;  // prints the mark first
  std::vector<std::string> arguments;
  int input = -1;
  // "cannot compare "/srv/data"", for messages.
  std::string what;
  // With it the script has done what it could.
  int tolerated_exit_code = 0;
  // Over a connection of its own, made for much (Host::start).
  bool is_large = false;
};
// `take` gets the answer piece by piece, as it comes. Throws script_failure(), `interrupted`, and
// what `take` throws, unless it is `corrupt` because the script has failed.
void stream_script(const host::Host& host, const StreamedScript& script, const Interrupt& interrupt,
                   const std::function<void(std::string_view)>& take);

// Defines `flush PLACE...` and `flush_files FILE...`. What sync(1) cannot do for single file
// systems it does for all.
inline constexpr std::string_view kDefineFlush = R"sh(
set -e
case "$(sync --help 2>&1 || :)" in
  *--file-system*|*-df*) flush() { sync -f "$@"; }; flush_files() { sync "$@"; } ;;
  *) flush() { sync; }; flush_files() { sync; } ;;
esac
)sh";

}  // namespace barman::restore
