#include "encryption/passphrase.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cctype>
#include <cerrno>

#include <fmt/format.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/process.h"

namespace barman::encryption {
namespace {

constexpr const char* kOption = "encryption_passphrase_command";

bool is_blank(char byte) { return std::isspace(static_cast<unsigned char>(byte)) != 0; }

[[noreturn]] void refuse(const std::string& reason) {
  throw Error(ErrorKind::config, fmt::format("{}: {}", kOption, reason),
              "Run the command by hand, as the user that runs barman.");
}

// Everything up to the end of the command's output; false when it is more than fits.
bool read_output(const Fd& output, std::span<char> buffer, std::size_t& size) {
  for (;;) {
    if (size == buffer.size()) return false;
    const ssize_t count = ::read(output.get(), buffer.data() + size, buffer.size() - size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_errno(fmt::format("cannot read the output of {}", kOption));
    if (count == 0) return true;
    size += static_cast<std::size_t>(count);
  }
}

}  // namespace

Passphrase::Passphrase() {
  // A process without the right to lock memory works all the same.
  static_cast<void>(::mlock(bytes_.data(), bytes_.size()));
}

Passphrase::~Passphrase() {
  ::explicit_bzero(bytes_.data(), bytes_.size());
  ::munlock(bytes_.data(), bytes_.size());
}

void Passphrase::strip() {
  while (size_ > 0 && is_blank(bytes_[begin_ + size_ - 1])) --size_;
  while (size_ > 0 && is_blank(bytes_[begin_])) {
    ++begin_;
    --size_;
  }
  const std::size_t line_end = text().find('\n');
  if (line_end != std::string_view::npos) size_ = line_end;
}

std::unique_ptr<Passphrase> read_passphrase(const std::string& command) {
  auto passphrase = std::make_unique<Passphrase>();
  const Fd null = open_file("/dev/null", O_RDWR);
  PipeEnds output = make_pipe();
  ChildProcess child(shell_command(command),
                     {.input = null.get(), .output = output.write_end.get(), .error = null.get()});
  output.write_end = Fd();
  const bool fits = read_output(output.read_end, passphrase->bytes_, passphrase->size_);
  output.read_end = Fd();
  const int code = child.wait();
  if (!fits) refuse(fmt::format("it prints more than {} bytes", Passphrase::kMaxBytes - 1));
  if (code != 0) refuse(fmt::format("Command failed with code {}", code));
  passphrase->strip();
  if (passphrase->text().empty()) refuse("The command returned an empty passphrase");
  return passphrase;
}

const Passphrase& PassphraseSource::passphrase() {
  const std::lock_guard lock(mutex_);
  if (!passphrase_) passphrase_ = read_passphrase(command_);
  return *passphrase_;
}

}  // namespace barman::encryption
