// What one run of gpg has told: its status lines (GnuPG's doc/DETAILS, "Format of the --status-fd
// output"), its messages and its exit code, and what they mean for the file that it worked on.
// Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace barman::encryption {

class GpgReport {
 public:
  // As they arrive, in pieces. What is more than a few kilobytes is dropped.
  void add_status(std::string_view text);
  void add_messages(std::string_view text);
  void set_exit_code(int code) { exit_code_ = code; }

  bool has_encrypted() const { return exit_code_ == 0 && has_ended_; }
  bool has_decrypted() const { return exit_code_ == 0 && is_intact_; }

  // Why not. `object` is the name for the message, `key` the recipient.
  Error encryption_error(const std::string& object, const std::string& key) const;
  Error decryption_error(const std::string& object) const;

 private:
  void take_line(std::string_view line);
  // " with exit code 2: <its last words>"
  std::string how_it_ended() const;
  std::string last_words() const;

  std::string unfinished_line_;
  std::string messages_;
  int exit_code_ = 0;
  bool has_ended_ = false;
  bool is_intact_ = false;
  bool is_no_message_ = false;
  bool has_failed_to_decrypt_ = false;
  bool is_key_missing_ = false;
  bool is_passphrase_bad_ = false;
  // "" unless the recipient cannot be used.
  std::string key_problem_;
  // As libgpg-error has it, without the source; 0 = none.
  unsigned long error_code_ = 0;
};

}  // namespace barman::encryption
