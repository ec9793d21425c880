// The passphrase of a private key, as the user's command prints it.
//
// It lives in memory that is not swapped out (as far as the limits of the process allow) and is
// wiped when it is not needed any more; it is never logged, and neither is anything else that the
// command writes.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace barman::encryption {

// Fixed in size and place, so that no copy is left behind.
class Passphrase {
 public:
  static constexpr std::size_t kMaxBytes = 4096;

  Passphrase();
  Passphrase(const Passphrase&) = delete;
  Passphrase& operator=(const Passphrase&) = delete;
  ~Passphrase();

  std::string_view text() const { return {bytes_.data() + begin_, size_}; }

 private:
  friend std::unique_ptr<Passphrase> read_passphrase(const std::string& command);
  void strip();

  std::array<char, kMaxBytes> bytes_ = {};
  std::size_t begin_ = 0;
  std::size_t size_ = 0;
};

// Runs the command line with /bin/sh: its first line without the white space around. Throws
// `config` when the command fails or prints nothing.
std::unique_ptr<Passphrase> read_passphrase(const std::string& command);

// Runs the command when the passphrase is needed first, and once only. May be used by several
// threads.
class PassphraseSource {
 public:
  // "" = there is none.
  explicit PassphraseSource(std::string command) : command_(std::move(command)) {}
  bool is_configured() const { return !command_.empty(); }
  // What read_passphrase() throws; each call tries again after a failure.
  const Passphrase& passphrase();

 private:
  const std::string command_;
  std::mutex mutex_;
  std::unique_ptr<Passphrase> passphrase_;
};

}  // namespace barman::encryption
