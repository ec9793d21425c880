#include "encryption/gpg_report.h"

#include <array>
#include <cstdlib>
#include <vector>

#include <fmt/format.h>

#include "base/text.h"

namespace barman::encryption {
namespace {

constexpr std::string_view kPrefix = "[GNUPG:] ";
constexpr std::size_t kMaxLine = 4096;
constexpr std::size_t kMaxMessages = 8192;
constexpr int kSignalBase = 128;
// /bin/sh and posix_spawn agree on it.
constexpr int kNotStarted = 127;

// Of libgpg-error's err-codes.h.
constexpr unsigned long kCodeMask = 0xffff;
constexpr unsigned long kNoPublicKey = 9;
constexpr unsigned long kBadPassphrase = 11;
constexpr unsigned long kUnusablePublicKey = 53;
constexpr unsigned long kNoPassphrase = 177;
constexpr unsigned long kNoAgent = 77;
constexpr unsigned long kAgentError = 26;
// An errno value follows.
constexpr unsigned long kSystemError = 0x8000;
constexpr unsigned long kEndOfFile = 16383;

// INV_RECP's reasons.
constexpr std::array<std::string_view, 16> kKeyProblems = {
    "the key cannot be used",
    "No public key",
    "the name fits several keys",
    "the key is not for that",
    "the key is revoked",
    "the key has expired",
    "no list of revocations",
    "",
    "",
    "no secret key",
    "the key is not trusted",
    "the certificate is missing",
    "the certificate is missing",
    "the key is disabled",
    "the name is not well formed",
    "",
};

unsigned long number(const std::string& text) { return std::strtoul(text.c_str(), nullptr, 10); }

}  // namespace

void GpgReport::add_status(std::string_view text) {
  unfinished_line_ += text;
  std::size_t begin = 0;
  for (std::size_t end = 0; (end = unfinished_line_.find('\n', begin)) != std::string::npos;) {
    take_line(std::string_view(unfinished_line_).substr(begin, end - begin));
    begin = end + 1;
  }
  unfinished_line_.erase(0, begin);
  if (unfinished_line_.size() > kMaxLine) unfinished_line_.clear();
}

void GpgReport::add_messages(std::string_view text) {
  messages_ += text;
  // The last ones tell most.
  if (messages_.size() > kMaxMessages) messages_.erase(0, messages_.size() - kMaxMessages);
}

void GpgReport::take_line(std::string_view line) {
  if (!line.starts_with(kPrefix)) return;
  const std::vector<std::string> words = split(std::string(line.substr(kPrefix.size())), ' ');
  const std::string& keyword = words[0];
  has_ended_ |= keyword == "END_ENCRYPTION";
  is_intact_ |= keyword == "DECRYPTION_OKAY";
  is_no_message_ |= keyword == "NODATA" || keyword == "UNEXPECTED";
  has_failed_to_decrypt_ |= keyword == "DECRYPTION_FAILED" || keyword == "BADMDC";
  is_key_missing_ |= keyword == "NO_SECKEY";
  is_passphrase_bad_ |= keyword == "BAD_PASSPHRASE";
  if (keyword == "INV_RECP" && words.size() > 1) {
    const unsigned long reason = number(words[1]);
    const std::string_view text = reason < kKeyProblems.size() ? kKeyProblems[reason] : "";
    key_problem_ = text.empty() ? kKeyProblems[0] : text;
  }
  if ((keyword == "FAILURE" || keyword == "ERROR") && words.size() > 2) {
    const unsigned long code = number(words[2]) & kCodeMask;
    is_passphrase_bad_ |= code == kBadPassphrase || code == kNoPassphrase;
    if (error_code_ == 0 && code != kCodeMask) error_code_ = code;
  }
}

std::string GpgReport::last_words() const {
  std::string last;
  for (const std::string& line : split(messages_, '\n')) {
    if (!strip(line).empty()) last = strip(line);
  }
  return last.starts_with("gpg: ") ? last.substr(5) : last;
}

std::string GpgReport::how_it_ended() const {
  std::string text = exit_code_ > kSignalBase
                         ? fmt::format(", by signal {}", exit_code_ - kSignalBase)
                         : fmt::format(", with exit code {}", exit_code_);
  const std::string words = last_words();
  if (!words.empty()) text += ": " + words;
  return text;
}

Error GpgReport::encryption_error(const std::string& object, const std::string& key) const {
  const std::string begin = fmt::format("cannot encrypt \"{}\" for key '{}': ", object, key);
  const bool is_about_key =
      !key_problem_.empty() || error_code_ == kNoPublicKey || error_code_ == kUnusablePublicKey;
  if (is_about_key) {
    return {ErrorKind::config,
            begin + (key_problem_.empty() ? std::string("the key cannot be used") : key_problem_),
            "Import the key with 'gpg --import' and trust it with 'gpg --edit-key KEY trust', as "
            "the user that runs barman, or correct encryption_key_id."};
  }
  if (exit_code_ == kNotStarted) {
    return {ErrorKind::config, begin + "gpg cannot be run" + how_it_ended(),
            "Install gpg and gpg-agent."};
  }
  return {ErrorKind::io, begin + "gpg ended before all was encrypted" + how_it_ended(),
          "Look for what has ended gpg (memory, disks, signals), try 'gpg --encrypt' as the user "
          "that runs barman, and try again."};
}

Error GpgReport::decryption_error(const std::string& object) const {
  const std::string begin = fmt::format("cannot decrypt \"{}\": ", object);
  if (is_passphrase_bad_) {
    return {ErrorKind::config, begin + "Bad passphrase", "Correct encryption_passphrase_command."};
  }
  if (is_key_missing_) {
    return {ErrorKind::config, begin + "its private key is not in the keyring",
            "Import the private key with 'gpg --import', as the user that runs barman."};
  }
  if (exit_code_ == kNotStarted) {
    return {ErrorKind::config, begin + "gpg cannot be run" + how_it_ended(),
            "Install gpg and gpg-agent."};
  }
  const bool is_system_error = (error_code_ & kSystemError) != 0 && error_code_ != kEndOfFile;
  const bool is_environment = exit_code_ > kSignalBase || is_system_error || is_intact_ ||
                              error_code_ == kNoAgent || error_code_ == kAgentError;
  if (!is_environment && (is_no_message_ || has_failed_to_decrypt_)) {
    return {ErrorKind::corrupt,
            begin +
                (has_failed_to_decrypt_ ? "its content is damaged" : "it is no OpenPGP message") +
                how_it_ended(),
            "Put an intact copy of the file in its place."};
  }
  // One that gives up on damaged data which it decompresses tells no more.
  return {
      is_environment ? ErrorKind::io : ErrorKind::corrupt,
      begin + "gpg ended before all was decrypted" + how_it_ended(),
      "Look for what has ended gpg (memory, signals), and try again. If it ends at the same file "
      "again, the file is damaged: put an intact copy in its place."};
}

}  // namespace barman::encryption
