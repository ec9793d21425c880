#include "wal_archive/locked_wal.h"

#include <vector>

#include <fmt/format.h>

#include "base/durable.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/log_components.h"
#include "base/text.h"

namespace barman::wal_archive {
namespace fs = std::filesystem;
namespace {

constexpr std::int64_t kMicroseconds = 1'000'000;

fs::path locked_wal_path(const fs::path& server_directory) {
  return server_directory / ".locked-wal";
}

std::optional<LockedWal> parse_locked_wal(const std::string& text) {
  const std::vector<std::string> words = split_blanks(text);
  if (words.size() != 3) return std::nullopt;
  const auto count = parse_integer(words[0]);
  const auto until = parse_integer(words[2]);
  constexpr std::int64_t kLatest = INT64_MAX / kMicroseconds;
  if (!count || *count <= 0 || !until || *until < 0 || *until > kLatest) return std::nullopt;
  return LockedWal{.count = static_cast<std::uint64_t>(*count),
                   .first = words[1],
                   .until = {.microseconds = *until * kMicroseconds}};
}

}  // namespace

std::optional<LockedWal> find_locked_wal(const fs::path& server_directory) {
  try {
    const auto text = find_and_read_file(locked_wal_path(server_directory));
    return text ? parse_locked_wal(*text) : std::nullopt;
  } catch (const Error& error) {  // As without it.
    log::warning(log::kCatalogueComponent, "{}", error.describe());
    return std::nullopt;
  }
}

void note_locked_wal(const fs::path& server_directory, const std::optional<LockedWal>& locked) {
  const fs::path path = locked_wal_path(server_directory);
  try {
    if (!locked) {
      if (find_status(path)) remove_durably(path);
      return;
    }
    // Not before the time is over.
    const std::int64_t until = (locked->until.microseconds + kMicroseconds - 1) / kMicroseconds;
    write_file_durably(path, fmt::format("{} {} {}\n", locked->count, locked->first, until));
  } catch (const Error& error) {  // The next deletion removes it as well.
    log::warning(log::kCatalogueComponent, "{}", error.describe());
  }
}

}  // namespace barman::wal_archive
