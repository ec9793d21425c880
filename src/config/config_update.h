// config-update: what a request asks for, whether it may, the queue
// of changes, and the file they are written to. All changes go to `<barman_home>/.barman.auto.conf`
// (docs/decisions/0005).
//
// Queue and automatic file are replaced atomically and are readable by their owner only: values may
// be passwords. Callers hold the lock of `.config-update.lock`.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "config/configuration.h"

namespace barman::config {

struct OptionChange {
  std::string key;
  std::string value;
  bool operator==(const OptionChange&) const = default;
};

// What is changed together in one section.
struct ChangeSet {
  std::string section;
  std::vector<OptionChange> changes;
  bool operator==(const ChangeSet&) const = default;
};

struct UpdateRequest {
  std::vector<ChangeSet> sets;
  // The lines to report when one of the objects is refused; then `sets` is empty.
  std::vector<std::string> errors;
};

// Reads and validates the argument of config-update. Throws Error(internal) when it is no JSON
// array of objects; the text is not repeated, it may hold secrets.
UpdateRequest parse_update_request(std::string_view json, const Configuration& configuration);

// Why an option cannot get that value in a section; nullopt when it can. As parse_update_request()
// judges it, for changes that come from the queue.
std::optional<std::string> find_change_problem(const Configuration& configuration,
                                               const std::string& section,
                                               const OptionChange& change);

struct ChangeQueue {
  std::vector<ChangeSet> sets;
  // The file is there, but cannot be understood; it counts as empty.
  bool is_malformed = false;
};
ChangeQueue parse_change_queue(std::string_view text);
// Missing file = empty queue.
ChangeQueue load_change_queue(const std::filesystem::path& path);
// `automatic_file` stands in each change, as Barman wants it.
void save_change_queue(const std::filesystem::path& path, const std::vector<ChangeSet>& sets,
                       const std::string& automatic_file);

// Writes one set to the automatic file, durable when the call returns. Gives one line a change for
// the user: "Changing value of option 'x' for section 'main' from 'None' to '31' through
// config-update."
std::vector<std::string> apply_change_set(const Configuration& configuration, const ChangeSet& set);

}  // namespace barman::config
