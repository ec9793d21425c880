#include "sync/wanted_wal.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/text.h"
#include "wal/wal_file_name.h"

namespace barman::sync {
namespace {

// Whether the line at the position is that of last_wal.
bool is_at(const wal_archive::WalIndexSnapshot& index, const SyncRequest& request) {
  if (!request.last_wal || !request.last_position) return false;
  const std::optional<wal_archive::WalIndexEntry> entry =
      index.find_line_at(*request.last_position);
  return entry && entry->name == *request.last_wal;
}

}  // namespace

SyncRequest parse_sync_position(std::string_view text) {
  const std::vector<std::string> fields = split(strip(text), '\t');
  if (!wal::parse_wal_file_name(fields.front())) return {};
  SyncRequest request{.last_wal = fields.front()};
  const auto position = fields.size() > 1 ? parse_integer(fields[1]) : std::nullopt;
  // A primary of Barman refuses 0, and finds the line without it as well.
  if (position && *position > 0) request.last_position = static_cast<std::uint64_t>(*position);
  return request;
}

std::string format_sync_position(std::string_view last_name, std::uint64_t last_position) {
  return fmt::format("{}\t{}", last_name, last_position);
}

bool WantedWal::includes(std::string_view name) const {
  return (!after || name > *after) && (!from || name >= *from);
}

WantedWal select_wals(const wal_archive::WalIndexSnapshot& index,
                      const std::vector<catalogue::BackupInfo>& backups,
                      const SyncRequest& request) {
  WantedWal selection;
  const auto last = index.find_last_line();
  if (!last) return selection;
  selection.last_position = last->offset;
  selection.last_name = last->name;
  selection.after = request.last_wal;
  if (!request.last_wal && !backups.empty()) selection.from = backups.front().begin_wal;
  const bool is_known_position = is_at(index, request);
  if (is_known_position) selection.begin_offset = *request.last_position;
  bool is_first = !is_known_position;
  index.for_each(
      [&](const wal_archive::WalIndexLine& line) {
        if (is_first && request.last_wal && *request.last_wal < line.name) {
          throw Error(ErrorKind::conflict,
                      fmt::format("last_wal '{}' is older than the first available wal '{}'",
                                  *request.last_wal, line.name));
        }
        is_first = false;
        if (selection.includes(line.name)) ++selection.count;
        return wal_archive::Visit::proceed;
      },
      selection.begin_offset);
  if (request.last_wal && *request.last_wal > last->name) {
    // Two blanks, as passive nodes of other versions know it.
    throw Error(ErrorKind::conflict,
                fmt::format("last_wal '{}' is newer than the last available wal  '{}'",
                            *request.last_wal, last->name));
  }
  return selection;
}

}  // namespace barman::sync
