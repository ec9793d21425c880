#include "config/resolution.h"

#include <utility>

#include <fmt/format.h>

#include "base/log.h"
#include "base/log_components.h"
#include "base/text.h"
#include "config/option_value.h"
#include "config/unusable_value.h"

namespace barman::config {
namespace {

class ServerResolver {
 public:
  ServerResolver(const IniDocument& document, const std::string& name, std::string_view barman_home,
                 std::vector<std::string>& warnings)
      : document_(document),
        barman_home_(barman_home),
        warnings_(warnings),
        own_keys_(document.keys(name)),
        global_keys_(document.keys(kGlobalSection)) {
    config_.name = name;
  }

  ServerConfig resolve() {
    for (const Option& option : server_options()) {
      if (option.scopes == Scope::none) continue;
      if (take_from(config_.name, option)) continue;
      if (option.is_inheritable() && take_from(kGlobalSection, option)) continue;
      set_option(config_, option, default_value(option));
    }
    for (const auto& [name, value] : config_.unusable_values) choose_careful_value(config_, name);
    drop_repeated_limits();
    return std::move(config_);
  }

 private:
  // Whether the section decides about the option. An empty value or None in the server's own
  // section means the built-in default; in [barman] it is as good as absent.
  bool take_from(std::string_view section, const Option& option) {
    const bool is_own_section = section != kGlobalSection;
    const IniKeys& keys = is_own_section ? own_keys_ : global_keys_;
    if (keys.find(option.name) == keys.end()) return false;
    const auto value = document_.find_value(section, option.name);
    if (!value) return false;
    if (value->problem) {
      disable_server(config_, *value->problem);
      return false;
    }
    const Option& allowed = allowed_option(option);
    ParsedOption parsed = parse_option(allowed, value->text);
    if (parsed.refusal || !parsed.log_lines.empty())
      report_unusable(section, allowed, value->text, parsed);
    if (parsed.refusal) return false;
    if (std::holds_alternative<std::monostate>(parsed.value)) {
      const bool cancels = is_own_section || !parsed.log_lines.empty() || parsed.is_none;
      if (!cancels) return false;
      parsed.value = default_value(option);
    }
    for (const std::string& line : parsed.log_lines)
      log::warning(log::kConfigComponent, "{} for server {}", line, config_.name);
    if (is_relative_path(option, parsed.value))
      warnings_.push_back(
          fmt::format("Relative path '{}' for key {} in [{}] section: it depends on the directory "
                      "in which barman is started",
                      value->text, option.name, section));
    set_option(config_, option, std::move(parsed.value));
    return true;
  }

  const Option& allowed_option(const Option& option) const {
    const Option& local = local_backup_compression();
    return option.name == local.name && !has_bucket() ? local : option;
  }

  // The option comes later, and from this section only.
  bool has_bucket() const {
    constexpr std::string_view kOption = "basebackups_directory";
    if (own_keys_.find(kOption) == own_keys_.end()) return false;
    const auto value = document_.find_value(config_.name, kOption);
    if (!value || value->problem) return false;
    const OptionData parsed = parse_option(*find_option(kOption), value->text).value;
    const auto* text = std::get_if<std::string>(&parsed);
    return text != nullptr && is_cloud_url(*text);
  }

  void report_unusable(std::string_view section, const Option& option, const std::string& text,
                       const ParsedOption& parsed) {
    std::string told = describe_unusable(document_, section, option, text, parsed);
    warnings_.push_back(ignored_value_warning(told));
    // Falling back to a local directory would turn a cloud server into a local one.
    if (option.type == OptionType::location) {
      disable_server(config_, fmt::format("Invalid {} '{}' for server {}: {}", option.name, text,
                                          config_.name, *parsed.refusal));
      return;
    }
    config_.unusable_values.emplace(option.name,
                                    UnusableValue{.written = text, .text = std::move(told)});
  }

  static bool is_relative_path(const Option& option, const OptionData& value) {
    if (option.type != OptionType::path && option.type != OptionType::location) return false;
    const auto* path = std::get_if<std::string>(&value);
    return path != nullptr && !path->starts_with('/') && !is_cloud_url(*path);
  }

  // Defaults that are the same for every server are parsed once.
  OptionData default_value(const Option& option) const {
    if (option.default_text.find("%(") != std::string_view::npos)
      return parse_option(option, default_text(option)).value;
    static const std::vector<OptionData> kDefaults = [] {
      std::vector<OptionData> values;
      for (const Option& each : server_options())
        values.push_back(parse_option(each, each.default_text).value);
      return values;
    }();
    return kDefaults.at(static_cast<std::size_t>(&option - server_options().data()));
  }

  std::string default_text(const Option& option) const {
    std::string text(option.default_text);
    for (std::size_t begin = text.find("%("); begin != std::string::npos;
         begin = text.find("%(", begin)) {
      const std::size_t end = text.find(")s", begin);
      const std::string replacement = computed_text(text.substr(begin + 2, end - begin - 2));
      text.replace(begin, end + 2 - begin, replacement);
      begin += replacement.size();
    }
    return text;
  }

  std::string computed_text(std::string_view key) const {
    if (key == "barman_home") return std::string(barman_home_);
    if (key == "name") return config_.name;
    const OptionData value = get_option(config_, *find_option(key));
    const auto* text = std::get_if<std::string>(&value);
    return text != nullptr ? *text : std::string();
  }

  // A limit equal to the general one is no limit of its own.
  void drop_repeated_limits() {
    std::erase_if(config_.tablespace_bandwidth_limit, [&](const auto& rule) {
      return config_.bandwidth_limit && rule.second == *config_.bandwidth_limit;
    });
  }

  const IniDocument& document_;
  std::string_view barman_home_;
  std::vector<std::string>& warnings_;
  const IniKeys& own_keys_;
  const IniKeys& global_keys_;
  ServerConfig config_;
};

}  // namespace

void disable_server(ServerConfig& config, std::string reason) {
  config.messages.push_back(std::move(reason));
  config.disabled = true;
}

ServerConfig resolve_server(const IniDocument& document, const std::string& name,
                            std::string_view barman_home, std::vector<std::string>& warnings) {
  return ServerResolver(document, name, barman_home, warnings).resolve();
}

std::optional<Model> resolve_model(const IniDocument& document, const std::string& name,
                                   std::vector<std::string>& warnings) {
  Model model{.name = name, .cluster = {}, .values = {}, .unusable_values = {}};
  for (const Option& option : server_options()) {
    if (!has_scope(option.scopes, Scope::model)) continue;
    const auto value = document.find_value(name, option.name);
    if (!value) continue;
    ParsedOption parsed =
        value->problem ? ParsedOption{.value = {}, .refusal = value->problem, .log_lines = {}}
                       : parse_option(option, value->text);
    if (parsed.refusal || !parsed.log_lines.empty()) {
      std::string told = describe_unusable(document, name, option, value->text, parsed);
      warnings.push_back(ignored_value_warning(told));
      model.unusable_values.emplace(option.name,
                                    UnusableValue{.written = value->text, .text = std::move(told)});
    }
    if (parsed.refusal) continue;
    for (const std::string& line : parsed.log_lines)
      log::warning(log::kConfigComponent, "{} for model {}", line, name);
    const bool is_bad_policy = option.type == OptionType::retention && !parsed.log_lines.empty();
    if (std::holds_alternative<std::monostate>(parsed.value) && !parsed.is_none && !is_bad_policy)
      continue;
    if (option.name == "cluster") {
      model.cluster = std::get<std::string>(parsed.value);
    } else {
      model.values.emplace(option.name, std::move(parsed.value));
    }
  }
  if (!model.cluster.empty()) return model;
  warnings.push_back(fmt::format(
      "Parameter \"cluster\" is required in [{}] section. The model is ignored.", name));
  return std::nullopt;
}

}  // namespace barman::config
