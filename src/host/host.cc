#include "host/host.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <span>

#include <fmt/format.h>

#include "base/anonymous_file.h"
#include "base/error.h"
#include "base/text.h"
#include "host/ended_child.h"
#include "host/shell_word.h"

namespace barman::host {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kMaxErrorText = 4096;
constexpr std::size_t kShownBytes = 60;

// Which shell a user has there is unknown: in quotes, csh does not accept line breaks and replaces
// what begins with "!". Words with these are sent with all that shells differ in written as octal
// numbers, and a sh there makes words of them again.
constexpr std::string_view kDifferent = "\n!";
constexpr std::string_view kWritten = "\n!'\\";
constexpr const char* kReadWritten =
    "n=$#; while [ $n -gt 0 ]; do w=$(printf %b. \"$1\"); shift; set -- \"$@\" \"${w%.}\"; "
    "n=$((n-1)); done; exec \"$@\"";

bool is_understood_everywhere(const std::string& word) {
  return word.find_first_of(kDifferent) == std::string::npos;
}

std::string written(const std::string& word) {
  std::string text;
  for (const char byte : word) {
    if (kWritten.find(byte) == std::string_view::npos) {
      text += byte;
    } else {
      text += fmt::format("\\0{:03o}", static_cast<unsigned char>(byte));
    }
  }
  return text;
}

}  // namespace

std::string read_error_text(const Fd& file) {
  std::string text(kMaxErrorText, '\0');
  text.resize(read_full_at(file, std::as_writable_bytes(std::span(text)), 0, "error output"));
  // ssh ends its own lines as a terminal wants them.
  return mask_passwords(strip(replace_all(text, "\r", "")));
}

std::string HostAnswer::read_output() const {
  struct stat status = {};
  if (::fstat(output.get(), &status) != 0) throw_errno("cannot read the answer of a program");
  std::string text(static_cast<std::size_t>(status.st_size), '\0');
  text.resize(read_full_at(output, std::as_writable_bytes(std::span(text)), 0, "answer"));
  return text;
}

std::string describe_beginning(std::string_view output) {
  std::string line(strip(output));
  line.resize(std::min({line.find('\n'), line.size(), kShownBytes}));
  std::replace_if(
      line.begin(), line.end(), [](unsigned char letter) { return letter < ' '; }, '?');
  return line.empty() ? "it is empty" : fmt::format("it begins with \"{}\"", line);
}

std::string read_beginning(const Fd& output) {
  std::string begin(kShownBytes, '\0');
  begin.resize(read_full_at(output, std::as_writable_bytes(std::span(begin)), 0, "answer"));
  return begin;
}

std::string Host::next_step(const std::string& said) const {
  constexpr std::string_view kNoSpace = "No space left on device";
  constexpr std::string_view kReadOnly = "Read-only file system";
  if (said.find(kNoSpace) != std::string::npos) {
    return "Free space there: its disk is full.";
  }
  constexpr std::string_view kRsyncOnly = "SSH_ORIGINAL_COMMAND does not run rsync";
  if (said.find(kRsyncOnly) != std::string::npos) {
    return "The key may run nothing but rsync there (authorized_keys): use one that may run a "
           "shell, ssh -i FILE.";
  }
  if (said.find(kReadOnly) != std::string::npos) {
    return "Choose a directory that can be written there, or mount its file system for writing.";
  }
  return hint();
}

ChildProcess Host::start(const std::vector<std::string>& argv,
                         const ChildProcess::Streams& streams) const {
  return ChildProcess(command(argv), streams);
}

ChildProcess Host::start_call(const std::vector<std::string>& argv,
                              const ChildProcess::Streams& streams) const {
  return ChildProcess(call_command(argv), streams);
}

HostAnswer Host::run(const std::vector<std::string>& argv, const Interrupt& interrupt,
                     int standard_input) const {
  HostAnswer answer{.output = open_anonymous_file(fs::temp_directory_path()), .error = {}};
  const Fd errors = open_anonymous_file(fs::temp_directory_path());
  const Fd nothing = open_file("/dev/null", O_RDONLY);
  ChildProcess program =
      start_call(argv, {.input = standard_input < 0 ? nothing.get() : standard_input,
                        .output = answer.output.get(),
                        .error = errors.get()});
  const std::optional<int> exit_code = program.wait_unless_interrupted(interrupt);
  if (!exit_code) interrupt.throw_if_requested();
  answer.exit_code = exit_code.value_or(-1);
  throw_if_interrupted_too(answer.exit_code, interrupt);
  answer.error = read_error_text(errors);
  if (::lseek(answer.output.get(), 0, SEEK_SET) < 0) throw_errno("cannot read an answer");
  return answer;
}

std::vector<std::string> LocalHost::command(const std::vector<std::string>& argv) const {
  return argv;
}

std::string LocalHost::title() const { return "this host"; }

std::string LocalHost::describe() const { return "this host"; }

std::string LocalHost::hint() const {
  return "Try the command by hand, as the user that runs barman.";
}

std::vector<std::string> SshHost::command(const std::vector<std::string>& argv) const {
  return there(route_.words.streams, argv);
}

std::vector<std::string> SshHost::call_command(const std::vector<std::string>& argv) const {
  return there(route_.words.calls, argv);
}

std::vector<std::string> SshHost::there(const std::string& words,
                                        const std::vector<std::string>& argv) const {
  std::string line = with_words(route_.command, words);
  const auto add = [&](const std::string& word) { line += " " + shell_word(shell_word(word)); };
  if (std::all_of(argv.begin(), argv.end(), is_understood_everywhere)) {
    for (const std::string& word : argv) add(word);
  } else {
    for (const char* const word : {"sh", "-c", kReadWritten, "sh"}) add(word);
    for (const std::string& word : argv) add(written(word));
  }
  return shell_command(line);
}

std::string SshHost::describe() const { return mask_passwords(route_.command); }

std::string SshHost::hint() const {
  return fmt::format("Try {} by hand, as the user that runs barman.", route_.option);
}

std::string SshHost::silence_hint() const {
  return fmt::format(
      "Run {} with the command \"true\" behind it: nothing may be printed. Let .bashrc and the "
      "like "
      "be silent in sessions without a terminal.",
      route_.option);
}

}  // namespace barman::host
