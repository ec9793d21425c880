#include "encryption/cipher.h"

#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "encryption/gpg_filter.h"

namespace barman::encryption {

Cipher::Cipher(CipherSettings settings)
    : settings_(std::move(settings)),
      passphrase_(std::make_shared<PassphraseSource>(settings_.passphrase_command)) {}

std::unique_ptr<pipeline::Sink> Cipher::make_encryptor(pipeline::Sink& next,
                                                       std::string target_name) const {
  if (!can_encrypt()) {
    throw Error(ErrorKind::config,
                fmt::format("cannot encrypt \"{}\": encryption_key_id is not set", target_name),
                "Set encryption_key_id to the key id or the mail address of a key.");
  }
  return std::make_unique<GpgFilter>(GpgJob{.direction = GpgJob::Direction::encrypt,
                                            .recipient = settings_.recipient,
                                            .object_name = std::move(target_name)},
                                     next);
}

std::unique_ptr<pipeline::Sink> Cipher::make_decryptor(pipeline::Sink& next,
                                                       std::string source_name) const {
  if (!can_decrypt()) {
    throw Error(
        ErrorKind::config,
        fmt::format("\"{}\" is encrypted, but no 'encryption_passphrase_command' is configured",
                    source_name),
        "Set encryption_passphrase_command to a command that prints the passphrase of the key.");
  }
  // Before a process is started for nothing.
  passphrase_->passphrase();
  return std::make_unique<GpgFilter>(GpgJob{.direction = GpgJob::Direction::decrypt,
                                            .object_name = std::move(source_name),
                                            .passphrase = passphrase_},
                                     next);
}

}  // namespace barman::encryption
