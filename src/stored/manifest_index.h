// What `backup_manifest` says of each file, looked up by path. Paths are kept as hashes, so that a
// backup of a million files takes some 40 MiB (64 MiB with SHA-256); a collision would show as a
// checksum error, never as a wrong file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "postgres/backup_manifest.h"
#include "stored/path_table.h"

namespace barman::stored {

struct ExpectedFile {
  std::uint64_t size_bytes = 0;
  DigestAlgorithm algorithm = DigestAlgorithm::none;
  std::string checksum;  // lower-case hex
};

// What a manifest says of the backup as a whole.
struct ManifestFacts {
  std::optional<postgres::SystemId> system_id;  // since PostgreSQL 17
  std::vector<postgres::ManifestWalRange> wal_ranges;
  // Those with files below pg_tblspc: manifests that Barman has made list none.
  std::set<std::uint32_t> tablespaces = {};
};

class ManifestIndex {
 public:
  // Throws `corrupt` when the manifest is damaged; nullopt when there is none.
  static std::optional<ManifestIndex> load(const std::filesystem::path& path);

  // Thread-safe.
  std::optional<ExpectedFile> find(std::string_view path) const;

  std::uint64_t total_bytes() const;
  const ManifestFacts& facts() const { return facts_; }

  // For the one thread that looks whether all files are there.
  void mark_seen(std::string_view path);
  // Names of files that were not marked, from the manifest itself, at most `limit`; those that
  // `is_wanted` refuses do not count.
  std::vector<std::string> list_unseen(const std::function<bool(std::string_view)>& is_wanted,
                                       std::size_t limit) const;

 private:
  struct Record {
    std::uint64_t size_bytes = 0;
    std::uint32_t checksum_offset = 0;
    std::uint8_t checksum_size = 0;
    DigestAlgorithm algorithm = DigestAlgorithm::none;
    bool is_seen = false;
  };
  class Collector;

  std::filesystem::path path_;
  PathTable<Record> records_;
  std::string checksums_;  // their bytes
  ManifestFacts facts_;
};

}  // namespace barman::stored
