// What is looked at in files that were copied from a running cluster, while their bytes are at
// hand: the checksums of their pages, and their digests for the manifest.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "backup/backup_source.h"
#include "backup/known_digests.h"
#include "base/fd.h"
#include "postgres/page_checksum.h"
#include "wal/lsn.h"

namespace barman::backup {

struct FileChecks {
  // Pages have checksums; those changed behind this position may be torn: WAL writes them anew.
  std::optional<wal::Lsn> checked_before;
  // Where digests go; none are computed without it. Must live longer.
  KnownDigests* digests = nullptr;
};

// Calls `on_damaged` for each page with a wrong checksum in a piece of a relation's file, which
// stands at `offset` in the file: with its place in the piece, and the number of its block.
using OnDamagedPage = std::function<void(std::size_t place, std::uint32_t block)>;
void find_damaged_pages(Bytes data, std::uint64_t offset, const postgres::RelationFile& relation,
                        wal::Lsn checked_before, const OnDamagedPage& on_damaged);

// The numbers of such blocks in `data`, which was just read at `offset` of the file `name` of a
// running cluster, in which PostgreSQL may be writing: what looks wrong is read again there before
// it counts.
std::vector<std::uint32_t> find_damaged_blocks_in(Bytes data, std::uint64_t offset,
                                                  const std::string& name, wal::Lsn checked_before,
                                                  const Fd& source,
                                                  const std::filesystem::path& source_path);

// Reads a copied file, whose name in the data directory is `name`, when there is anything to check.
// The numbers of blocks with wrong checksums; a missing file has none. `require_going_on` is called
// now and then.
std::vector<std::uint32_t> check_copied_file(const std::filesystem::path& path,
                                             const std::string& name, const FileChecks& checks,
                                             const std::function<void()>& require_going_on);

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
