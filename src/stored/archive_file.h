// The archives of a backup in tar format, as they lie in `data/`: names, algorithms, and reading
// one from its beginning to its end.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/interrupt.h"
#include "compression/algorithm.h"
#include "encryption/cipher.h"
#include "pipeline/tar_reader.h"

namespace barman::stored {

// "" for none, ".gz", ".lz4", ".zst".
std::string_view archive_extension(std::optional<compression::Algorithm> algorithm);
// Behind the one of the algorithm.
inline constexpr std::string_view kEncryptedExtension = ".gpg";
// "base" for the data directory (0), the OID for a tablespace.
std::string archive_stem(std::uint32_t oid);

struct ArchiveFile {
  std::filesystem::path path;
  std::optional<compression::Algorithm> algorithm;
  // "base.tar.zst.gpg": compressed, then encrypted. Has no index, which would tell names of files.
  bool is_encrypted = false;

  // Of the index beside it (archive_index.h): "base.index".
  std::filesystem::path index_path() const;
};

// The archive of a data directory or tablespace, whoever made it. nullopt when there is none.
std::optional<ArchiveFile> find_archive(const std::filesystem::path& data_directory,
                                        std::uint32_t oid);

// Size and time of an archive, by which an index knows whether it is of this archive.
struct ArchiveStamp {
  std::uint64_t size_bytes = 0;
  std::int64_t mtime_seconds = 0;
  friend bool operator==(const ArchiveStamp&, const ArchiveStamp&) = default;
};
ArchiveStamp stamp_of(const Fd& archive, const std::filesystem::path& path);

struct SequentialReading {
  Interrupt interrupt;
  // For encrypted archives.
  encryption::Cipher cipher = {};
  // Called for each piece of the archive that was read, with its size as stored.
  std::function<void(std::uint64_t)> on_read;
};

// Tries the key and the passphrase on the begin of an encrypted archive. Throws `config` when they
// are not those of the archive; what is damaged is left to who reads it.
void require_decryptable(const ArchiveFile& archive, const encryption::Cipher& cipher);
// The same of such a begin; `name` is that of the archive.
void require_decryptable(Bytes begin, const std::string& name, const encryption::Cipher& cipher);
inline constexpr std::size_t kDecryptableBegin = std::size_t{64} << 10;

// Reads the whole archive once, decrypting and decompressing it on the way, in a second thread
// beside the visitor's. Throws `corrupt` naming the archive.
void read_archive_sequentially(const ArchiveFile& archive, pipeline::TarVisitor& visitor,
                               const SequentialReading& reading);

}  // namespace barman::stored
