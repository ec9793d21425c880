// The settings that a cluster brings along in its configuration files and that would do harm after
// a restore. Configuration is treated as bytes. Pure text.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace barman::restore {

struct SettingNote {
  std::string file;  // relative to the data directory
  std::size_t line_number = 0;
  std::string name;
  // As written, quotes and comment included; nullopt: the line was made a comment.
  std::optional<std::string> value;
  friend bool operator==(const SettingNote&, const SettingNote&) = default;
};

enum class IncludeKind { file, directory };
struct IncludeDirective {
  IncludeKind kind = IncludeKind::file;
  std::string path;  // unquoted
  friend bool operator==(const IncludeDirective&, const IncludeDirective&) = default;
};

struct ReviewedSettings {
  std::string content;                // rewritten
  std::vector<SettingNote> changes;   // line numbers of the original
  std::vector<SettingNote> warnings;  // line numbers of the rewritten file
  std::vector<IncludeDirective> includes;
  // The last hot_standby, unquoted, with its line in the rewritten file.
  std::optional<SettingNote> hot_standby;
};

// Whether recovery settings of ours give the commands to fetch WAL.
enum class RestoreCommand { ours, theirs };

// Where PostgreSQL finds its files: where the settings say, or in the data directory, because what
// lay outside of it lies there now.
enum class FilePlaces { as_set, data_directory };

// What is changed: all that would do harm, or only what leads to the files of the old place, where
// the settings are the user's own work.
enum class ReviewScope { all, places };

struct ReviewRules {
  RestoreCommand restore_command = RestoreCommand::theirs;
  FilePlaces places = FilePlaces::as_set;
  ReviewScope scope = ReviewScope::all;
};

ReviewedSettings review_settings(std::string_view content, const std::string& file,
                                 const ReviewRules& rules);

// As PostgreSQL reads a boolean: each beginning of "off", "false" and "no" that is no beginning of
// another word, and "0".
bool is_off(std::string_view value);

}  // namespace barman::restore
