#include "catalogue/minimal_wal.h"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "base/durable.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/log_components.h"
#include "base/text.h"
#include "wal/wal_file_name.h"

namespace barman::catalogue {
namespace fs = std::filesystem;

namespace {

fs::path path_in(const fs::path& backup_directory) { return backup_directory / ".minimal-wal"; }

}  // namespace

std::optional<MinimalWal> parse_minimal_wal(std::string_view line) {
  const std::vector<std::string> words = split_blanks(line);
  if (words.size() != 3) return std::nullopt;
  const auto name = wal::parse_wal_file_name(words[0]);
  const auto begin = wal::parse_lsn(words[1]);
  const auto last = wal::parse_lsn(words[2]);
  if (!name || name->kind != wal::WalFileKind::segment || !begin || !last) return std::nullopt;
  return MinimalWal{.segment = words[0], .begin = *begin, .last_good_record = *last};
}

std::vector<MinimalWal> list_minimal_wal(const fs::path& backup_directory) {
  std::vector<MinimalWal> places;
  try {
    const std::optional<std::string> text = find_and_read_file(path_in(backup_directory));
    if (!text) return places;
    for (const std::string& line : split(*text, '\n')) {
      if (auto place = parse_minimal_wal(line)) places.push_back(std::move(*place));
    }
  } catch (const Error& error) {  // It only saves reading the WAL again.
    log::warning(log::kWalArchiverComponent, "{}", error.describe());
  }
  return places;
}

void note_minimal_wal(const fs::path& backup_directory, const std::vector<MinimalWal>& found) {
  if (found.empty()) return;
  try {
    std::vector<MinimalWal> places = list_minimal_wal(backup_directory);
    const std::size_t known = places.size();
    for (const MinimalWal& place : found) {
      if (std::find(places.begin(), places.end(), place) == places.end()) places.push_back(place);
    }
    if (places.size() == known) return;
    std::stable_sort(places.begin(), places.end(), [](const MinimalWal& a, const MinimalWal& b) {
      return a.segment < b.segment;
    });
    std::string text;
    for (const MinimalWal& place : places) {
      fmt::format_to(std::back_inserter(text), "{} {} {}\n", place.segment,
                     wal::format_lsn(place.begin), wal::format_lsn(place.last_good_record));
    }
    write_file_durably(path_in(backup_directory), text);
  } catch (const Error& error) {  // A full or read-only disk; the finding itself is told.
    log::warning(log::kWalArchiverComponent, "{}", error.describe());
  }
}

}  // namespace barman::catalogue
