// Checksums of the pages of files that were copied from a running cluster.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "backup/backup_source.h"
#include "base/fd.h"
#include "wal/lsn.h"

namespace barman::backup {

// The numbers of blocks with wrong checksums in a copied file, whose name in the data directory is
// `name`. Those changed behind `checked_before` may be torn: WAL writes them anew. A missing file
// has none. `require_going_on` is called now and then.
std::vector<std::uint32_t> find_damaged_blocks(const std::filesystem::path& path,
                                               const std::string& name, wal::Lsn checked_before,
                                               const std::function<void()>& require_going_on);

// The same of `data`, which was just read at `offset` of a file in which PostgreSQL may be writing:
// what looks wrong is read again there before it counts.
std::vector<std::uint32_t> find_damaged_blocks_in(Bytes data, std::uint64_t offset,
                                                  const std::string& name, wal::Lsn checked_before,
                                                  const Fd& source,
                                                  const std::filesystem::path& source_path);

// What several threads have found.
class PageDamageList {
 public:
  void add(const std::string& name, std::uint32_t block);
  // "base/5/1259: block 7".
  std::optional<PageDamage> facts() const;

 private:
  mutable std::mutex mutex_;
  std::uint64_t count_ = 0;
  std::vector<std::string> pages_;
};

}  // namespace barman::backup
