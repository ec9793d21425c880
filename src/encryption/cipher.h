// OpenPGP encryption as streams, by the user's own GnuPG: what is written here `gpg -d` reads, and
// what `gpg -e -r KEY` wrote is read here.
//
//   const Cipher cipher({.recipient = "backup@example.com", .passphrase_command = "cat /key"});
//   const auto encryptor = cipher.make_encryptor(file_sink, "base.tar.gz.gpg");
//   encryptor->write(...); encryptor->finish();
//
// Each filter is a Sink in front of another one and has a thread and a gpg process of its own.
// `next` is written to by that thread, never by two threads at a time, and finished by the caller's
// finish(). Memory is bounded (about 2 MiB a filter). gpg does not compress: do that before.
// Errors come out of write() or finish(), whatever `next` throws included; what was handed on until
// then must be thrown away (gpg hands out bytes before it knows that the message is intact).
//   config   no such key, not trusted, no private key, wrong passphrase, no gpg: what the user
//   mends corrupt  not an OpenPGP message, altered, or cut off io       gpg or its agent died
// A filter that is destroyed without finish() ends its gpg process.
#pragma once

#include <memory>
#include <string>

#include "encryption/passphrase.h"
#include "pipeline/sink.h"

namespace barman::encryption {

struct CipherSettings {
  // Key id, fingerprint or mail address in the keyring of the user who runs this (option
  // `encryption_key_id`). Only for encrypting.
  std::string recipient;
  // Shell command that prints the passphrase of the private key (option
  // `encryption_passphrase_command`). Only for decrypting.
  std::string passphrase_command;
};

// A copyable value; copies share the passphrase, which is asked for once. Its functions may be
// called by several threads.
class Cipher {
 public:
  // Neither encrypts nor decrypts.
  Cipher() : Cipher(CipherSettings{}) {}
  explicit Cipher(CipherSettings settings);

  bool can_encrypt() const { return !settings_.recipient.empty(); }
  bool can_decrypt() const { return passphrase_->is_configured(); }

  // `next` must live longer. The names are for errors. Throw `config` when the option that is
  // needed is not set; make_decryptor() runs the passphrase command.
  std::unique_ptr<pipeline::Sink> make_encryptor(pipeline::Sink& next,
                                                 std::string target_name) const;
  std::unique_ptr<pipeline::Sink> make_decryptor(pipeline::Sink& next,
                                                 std::string source_name) const;

 private:
  CipherSettings settings_;
  std::shared_ptr<PassphraseSource> passphrase_;
};

}  // namespace barman::encryption
