// The objects of one backup in a bucket, as a listing tells them, and whether those that it needs
// are there. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "catalogue/backup_info.h"
#include "catalogue/bucket_layout.h"

namespace barman::catalogue {

struct StoredArchive {
  BucketArchiveName name;
  std::string key;
  std::uint64_t size_bytes = 0;
  friend bool operator==(const StoredArchive&, const StoredArchive&) = default;
};

// All objects of one backup but its `backup.info` and its annotations.
struct BackupObjects {
  std::vector<StoredArchive> archives;   // the data directory first, then by OID and number
  std::vector<std::string> other_names;  // "data.tar.rar", "backup_label"
  // When the last of them, or the `backup.info`, was written, by the clock of who stores them; 0
  // when there is none.
  std::int64_t newest_seconds = 0;
};

// The trees that have archives of their own: 0 is the data directory, the others tablespaces that
// lie outside of it.
std::vector<std::uint32_t> trees_of(const BackupInfo& backup);

// What is wrong with the archives of one tree, "lacks the archive \"PLACE/data_0001.tar\""; "" when
// they are numbered from 0 without a gap, each of them once, and up to the last one that has an
// index. `place` ends in a slash, or is "". A last archive without an index may be missing all the
// same: nothing else tells how many there were.
std::string find_archive_problem(const BackupObjects& objects, std::uint32_t tablespace_oid,
                                 std::string_view place);
// The first one of all trees, that of the data directory before others.
std::string find_archive_problem(const BackupInfo& backup, const BackupObjects& objects);

}  // namespace barman::catalogue
