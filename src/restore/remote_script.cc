#include "restore/remote_script.h"

#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <exception>
#include <filesystem>
#include <utility>

#include <fmt/format.h>

#include "base/anonymous_file.h"
#include "base/fd.h"
#include "base/process.h"
#include "base/text.h"

namespace barman::restore {
namespace {

constexpr std::string_view kScriptMark{"\0barman-answer\0", 15};

constexpr std::size_t kAnswerRead = std::size_t{64} << 10;
constexpr int kWithoutLimit = -1;

// To the end of what the script prints.
void pump_answer(const Fd& output, const Interrupt& interrupt,
                 const std::function<void(std::string_view)>& take) {
  std::string text;
  bool is_behind_mark = false;
  for (;;) {
    if (wait_for_fd(output.get(), WaitFor::readable, kWithoutLimit, interrupt) ==
        WaitResult::interrupted) {
      interrupt.throw_if_requested();
    }
    const std::size_t size = text.size();
    text.resize(size + kAnswerRead);
    const ssize_t count = ::read(output.get(), text.data() + size, kAnswerRead);
    text.resize(size + (count > 0 ? static_cast<std::size_t>(count) : 0));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_errno("cannot read what another host says");
    if (count == 0) return;
    if (!is_behind_mark) {
      std::optional<std::string> answer = answer_behind_mark(text);
      if (!answer) continue;
      is_behind_mark = true;
      text = std::move(*answer);
    }
    take(text);
    text.clear();
  }
}

}  // namespace

std::vector<std::string> script_command(std::string_view text,
                                        const std::vector<std::string>& arguments) {
  std::vector<std::string> words = {"sh", "-c", std::string(text), "barman"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  return words;
}

std::optional<std::string> answer_behind_mark(const std::string& output) {
  const std::size_t mark = output.find(kScriptMark);
  if (mark == std::string::npos) return std::nullopt;
  return output.substr(mark + kScriptMark.size());
}

std::string bytes_of_hex(const std::string& text) {
  std::string bytes;
  for (const std::string& word : split_blanks(text)) {
    unsigned value = 0;
    const auto [end, code] = std::from_chars(word.data(), word.data() + word.size(), value, 16);
    if (code != std::errc() || end != word.data() + word.size() || value > 0xFF) return "";
    bytes += static_cast<char>(value);
  }
  return bytes;
}

Error script_failure(const host::Host& host, std::string_view what, int exit_code,
                     const std::string& reason) {
  return {ErrorKind::remote,
          fmt::format("{}: \"{}\" ended with exit code {}{}", what, host.describe(), exit_code,
                      reason.empty() ? "" : ": " + reason),
          host.next_step(reason)};
}

host::HostAnswer run_script(const host::Host& host, std::string_view text,
                            const std::vector<std::string>& arguments, const Interrupt& interrupt,
                            std::string_view what, int standard_input) {
  host::HostAnswer answer = host.run(script_command(text, arguments), interrupt, standard_input);
  if (answer.exit_code == 0) return answer;
  throw script_failure(host, what, answer.exit_code, answer.error);
}

void stream_script(const host::Host& host, const StreamedScript& script, const Interrupt& interrupt,
                   const std::function<void(std::string_view)>& take) {
  PipeEnds pipe = make_pipe();
  const Fd errors = open_anonymous_file(std::filesystem::temp_directory_path());
  const std::vector<std::string> command = script_command(script.text, script.arguments);
  const ChildProcess::Streams streams = {
      .input = script.input, .output = pipe.write_end.get(), .error = errors.get()};
  ChildProcess session =
      script.is_large ? host.start(command, streams) : host.start_call(command, streams);
  pipe.write_end = Fd();
  // When the script has failed, that is the reason why its answer is cut off.
  std::exception_ptr failure;
  try {
    pump_answer(pipe.read_end, interrupt, take);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::corrupt) throw;
    failure = std::current_exception();
  }
  pipe.read_end = Fd();
  const int exit_code = session.wait();
  if (exit_code != 0 && exit_code != script.tolerated_exit_code) {
    throw script_failure(host, script.what, exit_code, host::read_error_text(errors));
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace barman::restore
