// What the commands that check a WAL archive as a whole decide.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "wal/lsn.h"
#include "wal_archive/wal_statistics.h"

namespace barman::wal_archive {

// May a server that begins now, or one that comes back on `timeline`, archive here? The reason why
// not: "Expected empty archive", "Found 3 files in WAL archive equal to or newer than timeline 2",
// "Unexpected file X found in WAL archive".
std::optional<std::string> find_archive_conflict(const WalLines& lines,
                                                 std::optional<wal::TimelineId> timeline);

// Why two names make no range; nullopt when they do.
std::optional<std::string> find_range_problem(std::string_view begin_wal, std::string_view end_wal);

// The segments of the closed range that are not in `wals/`, in order. Each directory of the range
// is read once. The names must have passed find_range_problem(). Throws Error(usage) for a name
// that is impossible with that segment size, and for a range of more than four million segments.
std::vector<std::string> list_missing_segments(const std::filesystem::path& wals_directory,
                                               std::string_view begin_wal, std::string_view end_wal,
                                               wal::SegmentSize size);
// The same, of whatever lists the names below a hash directory.
using HashDirectoryLister = std::function<std::set<std::string>(const std::string& directory)>;
std::vector<std::string> list_missing_segments(const HashDirectoryLister& list_names,
                                               std::string_view begin_wal, std::string_view end_wal,
                                               wal::SegmentSize size);

}  // namespace barman::wal_archive
