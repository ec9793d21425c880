#include "config/model.h"

#include <utility>

#include <fmt/format.h>

#include "base/fd.h"
#include "base/text.h"
#include "config/rendering.h"
#include "config/unusable_value.h"

namespace barman::config {

std::vector<ModelChange> list_model_changes(const ServerConfig& config, const Model& model) {
  std::vector<ModelChange> changes;
  for (const auto& [name, value] : model.values) {
    const Option& option = *find_option(name);
    const OptionData old_value = get_option(config, option);
    if (old_value == value) continue;
    changes.push_back({name, python_text(native_value(option, old_value)),
                       python_text(native_value(option, value))});
  }
  return changes;
}

std::optional<std::string> find_cluster_mismatch(const ServerConfig& config, const Model& model) {
  if (config.cluster == model.cluster) return std::nullopt;
  return fmt::format(
      "Model '{}' has 'cluster={}', which is not compatible with 'cluster={}' from server '{}'",
      model.name, model.cluster, config.cluster, config.name);
}

void apply_model(ServerConfig& config, const Model& model) {
  const bool streaming_follows = config.streaming_conninfo == config.conninfo;
  UnusableValues unusable_values = model.unusable_values;
  for (const auto& [name, value] : model.values) {
    if (auto unusable = find_local_xz(config, model.name, name, value)) {
      config.warnings.push_back(ignored_value_warning(unusable->text));
      unusable_values.insert_or_assign(name, std::move(*unusable));
      continue;
    }
    set_option(config, *find_option(name), value);
  }
  if (streaming_follows && !model.values.contains("streaming_conninfo"))
    config.streaming_conninfo = config.conninfo;
  for (const auto& [name, value] : model.values) config.unusable_values.erase(name);
  for (const auto& [name, value] : unusable_values) {
    config.unusable_values.insert_or_assign(name, value);
    choose_careful_value(config, name);
  }
  config.active_model = model.name;
}

std::filesystem::path active_model_file(const ServerConfig& config) {
  return std::filesystem::path(config.backup_directory) / ".active-model.auto";
}

std::optional<std::string> find_active_model(const ServerConfig& config) {
  constexpr std::size_t kMaxNameSize = 4096;
  const auto content = find_and_read_file(active_model_file(config), kMaxNameSize);
  if (!content) return std::nullopt;
  const std::string_view name = strip(*content);
  return name.empty() ? std::nullopt : std::optional<std::string>(name);
}

}  // namespace barman::config
