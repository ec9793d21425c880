#include "wal_archive/unindexed_wal.h"

#include <sys/stat.h>

#include <algorithm>
#include <set>
#include <string>
#include <system_error>

#include "base/directory.h"
#include "base/fd.h"
#include "wal/wal_file_name.h"

namespace barman::wal_archive {
namespace fs = std::filesystem;

namespace {

using SegmentTest = std::function<bool(std::string_view)>;

// Most names are not looked for, or are in the index: only of the others more is asked.
std::vector<WalIndexEntry> look_through_files(const fs::path& wals, const SegmentTest& is_missing) {
  constexpr std::size_t kHashDirectoryLength = 16;
  std::vector<WalIndexEntry> entries;
  for (const DirectoryEntry& top : list_entries(wals)) {
    if (top.name.size() != kHashDirectoryLength || top.kind == EntryKind::file) continue;
    const fs::path directory = wals / top.name;
    for (const std::string& name : list_directory(directory)) {
      if (!is_missing(name)) continue;
      const auto status = find_status(directory / name, Links::refuse);
      if (!status || !S_ISREG(status->st_mode) || status->st_size == 0) continue;
      entries.push_back({.name = name,
                         .size_bytes = static_cast<std::uint64_t>(status->st_size),
                         .mtime = static_cast<double>(status->st_mtim.tv_sec)});
    }
  }
  return entries;
}

std::vector<WalIndexEntry> look_through_objects(const storage::Storage& objects,
                                                const SegmentTest& is_missing) {
  std::vector<WalIndexEntry> entries;
  objects.list("", [&](const storage::ObjectFacts& object) {
    const std::size_t slash = object.key.rfind('/');
    if (slash == std::string::npos || object.size_bytes == 0) return;
    const std::string name = object.key.substr(slash + 1);
    if (!is_missing(name)) return;
    entries.push_back({.name = name,
                       .size_bytes = object.size_bytes,
                       .mtime = static_cast<double>(object.mtime_seconds)});
  });
  return entries;
}

}  // namespace

std::vector<WalIndexEntry> list_unindexed_segments(const storage::Storage& objects,
                                                   const catalogue::CatalogueLocations& locations,
                                                   const SegmentTest& is_wanted,
                                                   const SegmentTest& is_indexed) {
  const auto is_missing = [&](std::string_view name) {
    return wal::is_segment_name(name) && is_wanted(name) && !is_indexed(name);
  };
  std::vector<WalIndexEntry> entries =
      objects.local() != nullptr ? look_through_files(locations.wals_directory, is_missing)
                                 : look_through_objects(objects, is_missing);
  if (entries.empty() || !find_status(locations.wal_index_path())) return entries;
  std::set<std::string, std::less<>> late;
  visit_wal_index(locations.wal_index_path(), 0, [&](const WalIndexLine& line) {
    late.emplace(line.name);
    return Visit::proceed;
  });
  std::erase_if(entries, [&](const WalIndexEntry& entry) { return late.contains(entry.name); });
  std::sort(entries.begin(), entries.end(),
            [](const WalIndexEntry& a, const WalIndexEntry& b) { return a.name < b.name; });
  return entries;
}

}  // namespace barman::wal_archive
