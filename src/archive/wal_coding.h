// How the WAL files of one server are stored: the configured compression for what comes in, and the
// recognition of what is there, whatever it was stored with (contract backup-and-wal.md 8). Custom
// filters are command lines of the user; everything else runs in the process.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "base/fd.h"
#include "compression/algorithm.h"
#include "config/server_config.h"

namespace barman::archive {

struct StoredForm {
  std::optional<compression::Algorithm> algorithm;
  bool is_custom = false;
  std::optional<std::string> encryption;

  bool is_plain() const { return !algorithm && !is_custom && !encryption; }
  // As the index names it.
  std::optional<std::string> compression_name() const;
};

// A copyable value; its functions may be called by several threads.
class WalCoding {
 public:
  // Stores and reads without custom filters.
  WalCoding() = default;
  explicit WalCoding(const config::ServerConfig& config);

  // Whether what comes in is compressed. False for `custom` without a filter, too.
  bool is_compressing() const { return algorithm_ || !compression_filter_.empty(); }
  // The configured word, which the index gets: "gzip", "pigz", "custom".
  const std::string& configured_name() const { return name_; }
  // Why the configured compression cannot be used; "" when it can. For `check`.
  std::string problem() const;

  // Of a file in the archive, and of one that has just come in: there, what is not recognised is
  // plain.
  StoredForm identify(const Fd& file, const std::filesystem::path& path) const;
  StoredForm identify_received(const Fd& file, const std::filesystem::path& path) const;

  // Compresses as configured. `source` is read from its beginning; `target` is a file, which is
  // not fsynced.
  void encode(const Fd& source, const std::filesystem::path& source_path, const Fd& target,
              const std::filesystem::path& target_path) const;
  // Writes the plain content to `target`, a file, pipe or socket. Throws `config` for encrypted
  // files, `corrupt`, compression::ReaderGone.
  void decode(const StoredForm& form, const Fd& source, const std::filesystem::path& source_path,
              int target, const std::filesystem::path& target_path) const;

 private:
  std::string name_;
  std::optional<compression::Algorithm> algorithm_;
  int level_ = 0;
  // "" = none.
  std::string compression_filter_;
  std::string decompression_filter_;
  std::string magic_;
};

}  // namespace barman::archive
