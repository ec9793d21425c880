#include "host/ssh_words.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/private_directory.h"
#include "base/process.h"
#include "base/text.h"
#include "host/ssh_ciphers.h"
#include "host/ssh_target.h"

namespace barman::host {
namespace {

namespace fs = std::filesystem;

// What every shell leaves as it is.
constexpr std::string_view kPlainCharacters =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 _@%+=:,./-";

bool is_plain_ssh(const std::string& command, const std::vector<std::string>& words) {
  return !words.empty() && fs::path(words.front()).filename() == "ssh" &&
         command.find_first_not_of(kPlainCharacters) == std::string::npos;
}

// Of what `ssh -G` prints, a line an option.
std::string value_of(std::string_view configuration, std::string_view option) {
  for (const std::string& line : split(configuration, '\n')) {
    if (line.starts_with(option) && line.substr(option.size()).starts_with(' ')) {
      return line.substr(option.size() + 1);
    }
  }
  return "";
}

// Whoever waits for a host that has gone, or hangs, would wait for ever. Behind ours, the user's
// would not count.
std::vector<std::string> bounds_of_silence(const std::string& configuration) {
  std::vector<std::string> options;
  if (value_of(configuration, "connecttimeout") == "none") {
    options.insert(options.end(), {"-o", "ConnectTimeout=30"});
  }
  if (value_of(configuration, "serveraliveinterval") == "0") {
    options.insert(options.end(), {"-o", "ServerAliveInterval=15"});
  }
  return options;
}

// They are given already.
void drop_life_signs(std::vector<std::string>& options) {
  for (std::size_t index = options.size(); index-- > 0;) {
    if (!options[index].starts_with("ServerAlive")) continue;
    const auto value = options.begin() + static_cast<std::ptrdiff_t>(index);
    options.erase(value - 1, value + 1);
    --index;
  }
}

std::string shell_words(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += " " + word;
  return text;
}

fs::path socket_of_this_process(const std::string& command) {
  const fs::path directory = fs::temp_directory_path() / fmt::format("barman-ssh-{}", ::geteuid());
  make_private_directory(directory, "TMPDIR");
  const std::string place = fmt::format("{} {}", ::getpid(), command);
  return directory / digest_of(DigestAlgorithm::sha256, place).substr(0, 16);
}

// Words for a command, and the connection that its calls have made.
class SshUse {
 public:
  explicit SshUse(const std::string& command) : command_(split_blanks(command)) {
    if (!is_plain_ssh(command, command_)) return;
    try {
      std::vector<std::string> show = command_;
      show.insert(show.begin() + 1, "-G");
      const std::string configuration = run_process({.argv = show}).standard_output;
      std::vector<std::string> options = bounds_of_silence(configuration);
      const std::string ciphers = quicker_ciphers(value_of(configuration, "ciphers"));
      if (!ciphers.empty()) options.insert(options.end(), {"-o", "Ciphers=" + ciphers});
      words_.streams = shell_words(options);
      words_.calls = words_.streams;
      const std::string control_path = value_of(configuration, "controlpath");
      if (!control_path.empty() && control_path != "none") return;
      socket_ = socket_of_this_process(command);
      std::vector<std::string> kept = kept_connection_options(socket_);
      drop_life_signs(kept);
      if (shell_words(kept).find_first_not_of(kPlainCharacters) == std::string::npos) {
        words_.calls += shell_words(kept);
      }
    } catch (const Error&) {  // It will be told when the connection itself is tried.
    } catch (const fs::filesystem_error&) {
    }
  }
  SshUse(const SshUse&) = delete;
  SshUse& operator=(const SshUse&) = delete;
  ~SshUse() {
    // Not in a child of the process that has made it.
    if (socket_.empty() || ::getpid() != owner_ || ::access(socket_.c_str(), F_OK) != 0) return;
    std::vector<std::string> end = std::move(command_);
    end.insert(end.begin() + 1, {"-o", "ControlPath=" + socket_.string(), "-O", "exit"});
    try {
      run_process({.argv = end});
    } catch (const Error&) {  // It ends by itself, a minute after the last call.
    }
  }

  const SshWords& words() const { return words_; }

 private:
  std::vector<std::string> command_;
  const pid_t owner_ = ::getpid();
  fs::path socket_;
  SshWords words_;
};

}  // namespace

std::string with_words(const std::string& ssh_command, const std::string& words) {
  if (words.empty()) return ssh_command;
  const std::size_t begin = ssh_command.find_first_not_of(' ');
  std::string text = ssh_command;
  text.insert(std::min(ssh_command.find(' ', begin), ssh_command.size()), words);
  return text;
}

SshWords ssh_words(const std::string& ssh_command) {
  static std::mutex mutex;
  static std::map<std::string, std::unique_ptr<SshUse>> uses;
  const std::lock_guard lock(mutex);
  std::unique_ptr<SshUse>& use = uses[ssh_command];
  if (!use) use = std::make_unique<SshUse>(ssh_command);
  return use->words();
}

}  // namespace barman::host
