// `.minimal-wal` in the directory of a server: where its WAL was found to have been written with
// wal_level = minimal. Nothing that PostgreSQL changed then without writing WAL can be recovered: a
// backup taken before leads to that place and no further (docs/decisions/0014-what-wal-says.md).
//
// Whoever reads WAL adds to it: archive-wal, verify-wal, restore. One line a place:
//   <name of the segment> <LSN of the record that tells it> <LSN of the record before>
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wal/lsn.h"

namespace barman::catalogue {

struct MinimalWal {
  std::string segment;
  wal::Lsn begin;
  // The last record that can be replayed.
  wal::Lsn last_good_record;

  friend bool operator==(const MinimalWal&, const MinimalWal&) = default;
};

std::optional<MinimalWal> parse_minimal_wal(std::string_view line);

// In the order of segments; lines that cannot be read are left out.
std::vector<MinimalWal> list_minimal_wal(const std::filesystem::path& backup_directory);

// Adds those that are not known yet; durable when it returns. What goes wrong is logged: the
// finding is told by the caller, too.
void note_minimal_wal(const std::filesystem::path& backup_directory,
                      const std::vector<MinimalWal>& found);

}  // namespace barman::catalogue
