// Rewrites the configuration files of a restored data directory: each examined file F (with
// ReviewScope::places: each that changes) is kept as F.origin and written anew with harmful
// settings neutralised, recovery settings appended. Files that are included from inside the data
// directory are treated likewise.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "restore/server_settings.h"

namespace barman::restore {

struct ConfigurationRequest {
  std::filesystem::path data_directory;
  // Where its files will be, when that is elsewhere: what absolute includes are compared with.
  std::filesystem::path final_directory{};
  // Relative; the first ones to be examined, in this order.
  std::vector<std::string> files;
  // The file that receives the settings, created when missing; "" = none.
  std::string settings_file;
  std::string settings;
  // Of files that are created.
  mode_t file_mode = 0600;
  // With places in the data directory, a directory that is included there is made when it is
  // missing: PostgreSQL does not start without it, and an empty one is not kept with a backup.
  ReviewRules rules{};
};

struct ConfigurationReview {
  std::vector<SettingNote> changes;
  std::vector<SettingNote> warnings;
  // With it PostgreSQL cannot be read while it recovers, and shuts down where it would pause.
  std::optional<SettingNote> hot_standby_off;
};

// Durable when it returns.
ConfigurationReview review_configuration(const ConfigurationRequest& request);

// Of the files every cluster has, those that are not in `data_directory`.
std::vector<std::string> list_missing_configuration(const std::filesystem::path& data_directory);

}  // namespace barman::restore
