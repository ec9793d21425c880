// A configuration model: options that replace those of a server of the same cluster while the model
// is active for it.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "config/option_table.h"

namespace barman::config {

struct Model {
  std::string name;
  std::string cluster;
  // The options it sets, by name, without cluster.
  std::map<std::string, OptionData, std::less<>> values;
  // A retention policy that is one of them is among the values, too, as an empty one.
  UnusableValues unusable_values;
};

struct ModelChange {
  std::string option;
  std::string old_text;
  std::string new_text;
};

// What apply_model() would change, in order of name.
std::vector<ModelChange> list_model_changes(const ServerConfig& config, const Model& model);

// "Model 'm2' has 'cluster=c2', which is not compatible ...", or nullopt.
std::optional<std::string> find_cluster_mismatch(const ServerConfig& config, const Model& model);

// Replaces the options and sets active_model. A streaming_conninfo that came from conninfo follows
// it.
void apply_model(ServerConfig& config, const Model& model);

// <backup_directory>/.active-model.auto
std::filesystem::path active_model_file(const ServerConfig& config);
// The name in that file; nullopt when there is none. Throws when it cannot be read.
std::optional<std::string> find_active_model(const ServerConfig& config);

}  // namespace barman::config
