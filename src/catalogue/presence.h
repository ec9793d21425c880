// Whether a server's catalogue is where the configuration says, or the disk that holds it is not
// mounted: an empty directory must not pass for a server without backups.
//
// A directory is a catalogue when `.barman-catalogue` lies in it, or anything of a backup or of
// archived WAL. That a server had one is noted outside of its directory, in hidden files
// `.<server>-catalogue` in barman_home and beside the log file: the directory and the time, a line
// each. A note about another directory counts for nothing. The real Barman ignores all of them.
// docs/decisions/0037-a-disk-that-is-not-mounted.md
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "catalogue/catalogue.h"

namespace barman::catalogue {

// Where the notes lie; empty paths count for nothing.
struct NotePlaces {
  std::filesystem::path barman_home;
  std::filesystem::path log_directory;
};

// What it means that there is no catalogue yet.
enum class NewCatalogue {
  is_error,
  is_made,  // unless it was there once, or /etc/fstab names its disk
  is_left,  // the same, and barman_home need not be there
};

// barman_home must be there for every command.
std::optional<Error> find_missing_home(const std::filesystem::path& barman_home);

// nullopt when the catalogue is there, or may be made; also when nobody can tell (EIO, EACCES): who
// reads it says so.
std::optional<Error> find_absence(const CatalogueLocations& locations, const NotePlaces& places,
                                  NewCatalogue new_catalogue);

// Marks a directory that is there, and notes that it is. What cannot be written (a full or
// read-only disk) is not: it is a line of the log.
void note_presence(const CatalogueLocations& locations, const NotePlaces& places);

// The mount point at or above `path` that `fstab` names and that is not among the mounted ones of
// `mountinfo` (the texts of /etc/fstab and of /proc/self/mountinfo); "" when there is none.
std::string find_unmounted(const std::filesystem::path& path, std::string_view fstab,
                           std::string_view mountinfo);

}  // namespace barman::catalogue
