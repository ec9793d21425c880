// How the WAL files of one server are stored: the configured compression and encryption for what
// comes in, and the recognition of what is there, whatever it was stored with. Files are compressed
// first, then encrypted. Custom filters are command lines of the user, encryption is done by gpg;
// everything else runs in the process.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "base/fd.h"
#include "compression/algorithm.h"
#include "config/server_config.h"
#include "encryption/cipher.h"
#include "pipeline/sink.h"

namespace barman::wal_archive {

struct WalStoredForm {
  // Unknown when it is encrypted.
  std::optional<compression::Algorithm> algorithm;
  bool is_custom = false;
  // "gpg"
  std::optional<std::string> encryption;

  bool is_plain() const { return !algorithm && !is_custom && !encryption; }
  // As the index names it.
  std::optional<std::string> compression_name() const;
};

// What is done to a file that comes in.
struct CodingSteps {
  bool is_compressed = false;
  bool is_encrypted = false;
  bool is_nothing() const { return !is_compressed && !is_encrypted; }
};

// A copyable value; its functions may be called by several threads.
class WalCoding {
 public:
  // Stores and reads without custom filters.
  WalCoding() = default;
  explicit WalCoding(const config::ServerConfig& config);

  // Whether what comes in is compressed. False for `custom` without a filter, too.
  bool is_compressing() const { return algorithm_ || !compression_filter_.empty(); }
  bool is_encrypting() const { return is_encrypting_; }
  // For a file of that form. What is compressed or encrypted already is not compressed, and what is
  // encrypted is not encrypted again.
  CodingSteps steps_for(const WalStoredForm& received) const;
  const encryption::Cipher& cipher() const { return cipher_; }
  // The configured word, which the index gets: "gzip", "pigz", "custom".
  const std::string& configured_name() const { return name_; }
  // Why the configured compression cannot be used; "" when it can. For `check`.
  std::string problem() const;

  // Of a file in the archive, and of one that has just come in: there, what is not recognised is
  // plain.
  WalStoredForm identify(const Fd& file, const std::filesystem::path& path) const;
  WalStoredForm identify_received(const Fd& file, const std::filesystem::path& path) const;
  // Of a file in the archive whose first bytes these are; kIdentifyingBytes are enough.
  static constexpr std::size_t kIdentifyingBytes = 64;
  WalStoredForm identify(Bytes first_bytes) const;

  // Compresses and encrypts as configured. `source` is read from its beginning; `target` is a file
  // that can be read, too, and is not fsynced. What a custom filter made is read back and compared.
  // Throws what encryption::Cipher does.
  void encode(const CodingSteps& steps, const Fd& source, const std::filesystem::path& source_path,
              const Fd& target, const std::filesystem::path& target_path) const;
  // Writes the plain content to `target`, a file, pipe or socket; a Sink is finished. Throws
  // `config` for encrypted files that cannot be read with these settings, `corrupt`,
  // compression::ReaderGone.
  void decode(const WalStoredForm& form, const Fd& source, const std::filesystem::path& source_path,
              int target, const std::filesystem::path& target_path) const;
  void decode(const WalStoredForm& form, const Fd& source, const std::filesystem::path& source_path,
              pipeline::Sink& target) const;
  // The same, but what is compressed stays so.
  void decrypt(const Fd& source, const std::filesystem::path& source_path,
               pipeline::Sink& target) const;

 private:
  WalStoredForm identify_begin(Bytes first_bytes) const;
  void require_same_content(const Fd& source, const std::filesystem::path& source_path,
                            const Fd& compressed,
                            const std::filesystem::path& compressed_path) const;
  void refuse_without_filter(const std::filesystem::path& source_path) const;
  void decode_custom(const Fd& source, const std::filesystem::path& source_path,
                     pipeline::Sink& target) const;
  void decode_encrypted(const Fd& source, const std::filesystem::path& source_path,
                        pipeline::Sink& target) const;

  std::string name_;
  bool is_custom_ = false;
  std::optional<compression::Algorithm> algorithm_;
  int level_ = 0;
  // "" = none.
  std::string compression_filter_;
  std::string decompression_filter_;
  std::string magic_;
  bool is_encrypting_ = false;
  encryption::Cipher cipher_;
};

}  // namespace barman::wal_archive
