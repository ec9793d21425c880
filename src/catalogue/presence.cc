#include "catalogue/presence.h"

#include <sys/stat.h>

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "base/directory.h"
#include "base/durable.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/log_components.h"
#include "base/text.h"
#include "base/timestamp.h"

namespace barman::catalogue {
namespace fs = std::filesystem;
namespace {

constexpr const char* kCatalogueMarker = ".barman-catalogue";
constexpr std::size_t kMaxNote = 16384;

bool is_there_as_directory(const fs::path& path) {
  const auto status = find_status(path);
  return status && S_ISDIR(status->st_mode);
}

bool holds_anything(const fs::path& directory) {
  return is_there_as_directory(directory) && !list_directory(directory).empty();
}

bool is_catalogue(const CatalogueLocations& locations) {
  if (find_status(locations.backup_directory / kCatalogueMarker)) return true;
  if (find_status(locations.backup_directory / "identity.json")) return true;
  if (holds_anything(locations.meta_directory)) return true;
  if (locations.has_local_backups && holds_anything(locations.basebackups_directory)) return true;
  return locations.has_local_wals && holds_anything(locations.wals_directory);
}

std::vector<fs::path> note_paths(const CatalogueLocations& locations, const NotePlaces& places) {
  std::vector<fs::path> paths;
  for (const fs::path& directory : {places.barman_home, places.log_directory}) {
    if (directory.empty()) continue;
    fs::path path = directory / ("." + locations.server_name + "-catalogue");
    if (std::find(paths.begin(), paths.end(), path) == paths.end()) {
      paths.push_back(std::move(path));
    }
  }
  return paths;
}

// The time of a note about this directory; nullopt when it says nothing of it.
std::optional<std::string> read_note(const fs::path& path, const fs::path& backup_directory) {
  const std::optional<std::string> text = find_and_read_file(path, kMaxNote);
  if (!text) return std::nullopt;
  const std::size_t end = text->find('\n');
  if (end == std::string::npos || text->substr(0, end) != backup_directory.string()) {
    return std::nullopt;
  }
  return std::string(strip(text->substr(end + 1)));
}

struct Notes {
  std::string time;  // of one of them
  std::vector<std::string> paths;
};

Notes find_notes(const CatalogueLocations& locations, const NotePlaces& places) {
  Notes notes;
  for (const fs::path& path : note_paths(locations, places)) {
    if (const auto time = read_note(path, locations.backup_directory)) {
      notes.time = *time;
      notes.paths.push_back(path.string());
    }
  }
  return notes;
}

Error absent(const CatalogueLocations& locations, std::string_view reason, std::string hint) {
  return {ErrorKind::io,
          fmt::format("The directory of server '{}', \"{}\", {}", locations.server_name,
                      locations.backup_directory.string(), reason),
          std::move(hint)};
}

std::string find_unmounted_here(const fs::path& path) {
  const auto fstab = find_and_read_file("/etc/fstab");
  const auto mounts = find_and_read_file("/proc/self/mountinfo");
  return fstab && mounts ? find_unmounted(path, *fstab, *mounts) : std::string();
}

std::optional<Error> judge(const CatalogueLocations& locations, const NotePlaces& places,
                           NewCatalogue new_catalogue) {
  if (is_catalogue(locations)) return std::nullopt;
  const fs::path& directory = locations.backup_directory;
  const bool exists = is_there_as_directory(directory);
  const std::string_view state = exists                   ? "holds no catalogue"
                                 : find_status(directory) ? "is no directory"
                                                          : "is not there";
  const Notes notes = find_notes(locations, places);
  if (!notes.paths.empty()) {
    return absent(locations, fmt::format("{}, and held a catalogue at {}", state, notes.time),
                  fmt::format("Is its disk mounted? If the catalogue was removed on purpose, let "
                              "barman forget it: rm \"{}\"",
                              join(notes.paths, "\" \"")));
  }
  if (const std::string mount = find_unmounted_here(directory); !mount.empty()) {
    return absent(locations,
                  fmt::format("{}, and \"{}\" of /etc/fstab is not mounted", state, mount),
                  fmt::format("Mount its disk: mount \"{}\"", mount));
  }
  // A second host needs nothing here of backups that live in a bucket.
  if (!locations.has_local_backups) return std::nullopt;
  if (exists || new_catalogue != NewCatalogue::is_error) return std::nullopt;
  return absent(locations, state,
                fmt::format("Is its disk mounted? For a new server, \"barman check {}\" makes it.",
                            locations.server_name));
}

// An entry of a table of mounts writes blanks as \040.
std::string unescaped(std::string_view text) {
  return replace_all(replace_all(std::string(text), "\\040", " "), "\\011", "\t");
}

std::vector<std::string_view> words_of_line(std::string_view line) {
  std::vector<std::string_view> words;
  constexpr std::string_view kBlanks = " \t\r";
  for (std::size_t begin = line.find_first_not_of(kBlanks); begin != std::string_view::npos;) {
    const std::size_t end = std::min(line.find_first_of(kBlanks, begin), line.size());
    words.push_back(line.substr(begin, end - begin));
    begin = line.find_first_not_of(kBlanks, end);
  }
  return words;
}

// The word at this place of each line that is no comment.
std::vector<std::string> column_of(std::string_view text, std::size_t column) {
  std::vector<std::string> values;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::vector<std::string_view> words = words_of_line(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (words.size() <= column || words.front().starts_with('#')) continue;
    values.push_back(unescaped(words[column]));
  }
  return values;
}

bool is_at_or_above(std::string_view mount, std::string_view path) {
  return path.starts_with(mount) && (path.size() == mount.size() || path[mount.size()] == '/');
}

}  // namespace

std::string find_unmounted(const fs::path& path, std::string_view fstab,
                           std::string_view mountinfo) {
  constexpr std::size_t kPointOfFstab = 1;
  constexpr std::size_t kPointOfMountinfo = 4;
  std::vector<std::string> mounted = column_of(mountinfo, kPointOfMountinfo);
  std::string longest;
  for (std::string point : column_of(fstab, kPointOfFstab)) {
    while (point.size() > 1 && point.ends_with('/')) point.pop_back();
    // "none" of a swap; the root is always there.
    if (point.size() < 2 || !point.starts_with('/') || point.size() < longest.size()) continue;
    if (!is_at_or_above(point, path.string())) continue;
    if (std::find(mounted.begin(), mounted.end(), point) == mounted.end()) longest = point;
  }
  return longest;
}

std::optional<Error> find_missing_home(const fs::path& barman_home) {
  try {
    if (barman_home.empty() || is_there_as_directory(barman_home)) return std::nullopt;
    const bool exists = find_status(barman_home).has_value();
    return Error(ErrorKind::io,
                 fmt::format("barman_home, \"{}\", is {}", barman_home.string(),
                             exists ? "no directory" : "not there"),
                 fmt::format("Is its disk mounted? For a new installation, make it, and give it to "
                             "the user of barman: mkdir -p \"{}\"",
                             barman_home.string()));
  } catch (const Error& error) {  // Not to know is not "not there".
    log::debug(log::kCatalogueComponent, "{}", error.describe());
    return std::nullopt;
  }
}

std::optional<Error> find_absence(const CatalogueLocations& locations, const NotePlaces& places,
                                  NewCatalogue new_catalogue) {
  if (new_catalogue != NewCatalogue::is_left) {
    if (auto missing = find_missing_home(places.barman_home)) return missing;
  }
  try {
    return judge(locations, places, new_catalogue);
  } catch (const Error& error) {  // The same.
    log::debug(log::kCatalogueComponent, "{}", error.describe());
    return std::nullopt;
  }
}

void note_presence(const CatalogueLocations& locations, const NotePlaces& places) {
  try {
    const fs::path& directory = locations.backup_directory;
    if (!is_there_as_directory(directory)) return;
    const Timestamp now = in_local_zone(from_epoch_seconds(std::floor(now_local().as_double())));
    // The marker first: where there is a note, the directory must prove itself.
    if (!find_status(directory / kCatalogueMarker)) {
      write_file_durably(directory / kCatalogueMarker,
                         fmt::format("{}\n{}\n", locations.server_name, format_iso(now)));
    }
    for (const fs::path& path : note_paths(locations, places)) {
      if (!is_there_as_directory(path.parent_path()) || read_note(path, directory)) continue;
      write_file_durably(path, fmt::format("{}\n{}\n", directory.string(), format_iso(now)));
    }
  } catch (const Error& error) {  // It makes later mistakes visible, and is not what was asked for.
    log::debug(log::kCatalogueComponent, "the presence of server {} is not noted: {}",
               locations.server_name, error.describe());
  }
}

}  // namespace barman::catalogue
