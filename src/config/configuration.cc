#include "config/configuration.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include <fmt/format.h>

#include "base/directory.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/hint.h"
#include "base/log.h"
#include "base/log_components.h"
#include "base/text.h"
#include "config/option_value.h"
#include "config/resolution.h"
#include "config/unusable_value.h"

namespace barman::config {
namespace {

namespace fs = std::filesystem;

bool is_readable(const std::string& path) { return ::access(path.c_str(), R_OK) == 0; }

// Each with the reason why it is not the one: a file that may not be read is another case than
// none.
std::string describe_places(const MainFileLookup& lookup) {
  std::vector<std::string> places;
  if (lookup.home) places.push_back(*lookup.home + "/.barman.conf");
  places.insert(places.end(), lookup.defaults.begin(), lookup.defaults.end());
  for (std::string& place : places) {
    std::error_code code;
    const bool is_there = fs::exists(place, code);
    place += is_there || code == std::errc::permission_denied ? " (may not be read by this user)"
                                                              : " (is not there)";
  }
  return fmt::format(
      "Looked at: {}. Name another one with -c FILE or in BARMAN_CONFIG_FILE; "
      "'barman help' needs none.",
      join(places, ", "));
}

std::string find_main_file(const MainFileLookup& lookup) {
  for (const auto& named : {lookup.option, lookup.environment}) {
    if (!named || named->empty()) continue;
    std::error_code code;
    if (fs::exists(*named, code) || code == std::errc::permission_denied) return *named;
    throw StartupError(fmt::format("Configuration file '{}' does not exist", *named));
  }
  if (lookup.home && is_readable(*lookup.home + "/.barman.conf"))
    return *lookup.home + "/.barman.conf";
  for (const std::string& path : lookup.defaults)
    if (is_readable(path)) return path;
  throw StartupError(
      "Could not find any configuration file at default locations.\n"
      "Check Barman's documentation for more help.\n" +
      describe_places(lookup));
}

// Python's names and numbers of log levels.
std::optional<int> parse_log_level(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, int>, 8> kLevels = {{{"NOTSET", 0},
                                                                        {"DEBUG", 10},
                                                                        {"INFO", 20},
                                                                        {"WARNING", 30},
                                                                        {"WARN", 30},
                                                                        {"ERROR", 40},
                                                                        {"CRITICAL", 50},
                                                                        {"FATAL", 50}}};
  const std::string upper = to_upper(text);
  for (const auto& [name, level] : kLevels)
    if (upper == name) return level;
  const auto number = parse_integer(text);
  if (!number) return std::nullopt;
  return static_cast<int>(std::clamp<std::int64_t>(*number, 0, 1000));
}

std::string expand_home(const std::string& path) {
  if (path != "~" && !path.starts_with("~/")) return path;
  const char* home = std::getenv("HOME");
  return home != nullptr ? home + path.substr(1) : path;
}

// Why a section name cannot be the name of a server or model: it becomes part of paths.
bool is_safe_name(std::string_view name) {
  return !name.starts_with('.') && std::none_of(name.begin(), name.end(), [](char c) {
    return c == '/' || static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  });
}

// Whether the two states of [barman] say the same, wherever they say it.
bool has_same_text(const IniKeys& a, const IniKeys& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
    return x.first == y.first && x.second.raw == y.second.raw;
  });
}

}  // namespace

void Configuration::load_main_file(const MainFileLookup& lookup) {
  global_.config_file = find_main_file(lookup);
  document_.merge(
      parse_ini(read_file(global_.config_file, kMaxSmallFile, Links::follow), global_.config_file),
      global_.config_file);
  if (!document_.has_section(kGlobalSection))
    throw Error(ErrorKind::config, "No section: 'barman'",
                fmt::format("Add a [barman] section to \"{}\".", global_.config_file));
  read_global();
}

void Configuration::load_rest(const ConninfoCheck& check_conninfo) {
  if (!global_.barman_home.empty()) {
    merge_include_directory();
    const std::string automatic = global_.automatic_file();
    std::error_code code;
    // What cannot be looked at is reported when it is read.
    if (fs::exists(automatic, code) || code) merge_file_below_main(automatic, automatic);
  }
  classify_sections();
  check_keys();
  require_global_keys();
  for (const std::string& name : model_sections_) {
    std::vector<std::string> warnings;
    if (auto model = resolve_model(document_, name, warnings)) models_.emplace(name, *model);
    for (std::string& text : warnings) warn_once(std::move(text));
  }
  build_servers(check_conninfo);
}

std::optional<std::string> Configuration::global_value(std::string_view key) const {
  const auto value = document_.find_value(kGlobalSection, key);
  if (!value) return std::nullopt;
  if (value->problem) throw Error(ErrorKind::config, *value->problem);
  if (means_unset(value->text)) return std::nullopt;
  return value->text;
}

void Configuration::read_global() {
  global_.barman_home = global_value("barman_home").value_or("");
  global_.barman_user = global_value("barman_user").value_or("barman");
  global_.barman_lock_directory =
      global_value("barman_lock_directory").value_or(global_.barman_home);
  global_.configuration_files_directory = global_value("configuration_files_directory");
  global_.config_changes_queue =
      global_value("config_changes_queue").value_or(global_.barman_home + "/cfg_changes.queue");
  global_.log_file = global_value("log_file");
  if (!global_.log_file) global_.log_file = global_value("log_filename");
  if (const IniSetting* setting = document_.find_setting(kGlobalSection, "log_format");
      setting != nullptr && !means_unset(unquote(setting->raw)))
    global_.log_format = std::string(unquote(setting->raw));
  if (const auto text = global_value("lock_directory_cleanup")) {
    const Option boolean{.name = "lock_directory_cleanup",
                         .type = OptionType::boolean,
                         .default_text = {},
                         .member = &ServerConfig::active,
                         .words = {},
                         .summary = {}};
    const ParsedOption parsed = parse_option(boolean, *text);
    if (parsed.refusal)
      throw Error(ErrorKind::config,
                  fmt::format("Invalid configuration value '{}' for key lock_directory_cleanup in "
                              "[barman] section: {}",
                              *text, *parsed.refusal),
                  fmt::format("Correct it in \"{}\": lock_directory_cleanup = on, or off.",
                              global_source("lock_directory_cleanup")));
    if (const bool* value = std::get_if<bool>(&parsed.value))
      global_.lock_directory_cleanup = *value;
  }
  if (const auto text = global_value("log_level")) {
    const auto level = parse_log_level(without_inline_comment(*text));
    if (level) global_.log_level = *level;
    if (!level) {
      global_.unknown_log_level = *text;
      warn_once(ignored_value_warning(describe_unusable_global(
          document_, "log_level", *text,
          "one of: DEBUG, INFO, WARNING, ERROR, CRITICAL, or a number", "INFO")));
    }
  }
  for (const auto& [key, setting] : document_.keys(kGlobalSection)) {
    const auto value = document_.find_value(kGlobalSection, key);
    if (value) global_.raw.emplace(key, value->problem ? setting.raw : value->text);
  }
}

void Configuration::require_global_keys() const {
  if (!global_.barman_home.empty()) return;
  throw StartupError(
      "ERROR: Parameter \"barman_home\" is required in [barman] section.\n"
      "Your configuration is missing required parameters. Exiting.");
}

void Configuration::merge_include_directory() {
  if (!global_.configuration_files_directory) return;
  const std::string directory = expand_home(*global_.configuration_files_directory);
  std::error_code code;
  const bool is_directory = fs::is_directory(directory, code);
  // Servers must not vanish because a disk does not answer.
  if (code == std::errc::io_error || code.value() == ESTALE) {
    throw SystemError(code.value(), fmt::format("cannot read directory \"{}\"", directory));
  }
  if (!is_directory) {
    gaps_.push_back(
        {.text = fmt::format("Ignoring the \"configuration_files_directory\" option as \"{}\" is "
                             "not a directory",
                             directory),
         .hint = fmt::format("The servers of its files are missing: is its disk mounted? Without "
                             "such files, make an empty one (mkdir {}), or take the option out of "
                             "\"{}\".",
                             shell_quote(directory), global_.config_file),
         .is_for_log = true});
    return;
  }
  for (const std::string& name : list_directory(directory, IfAbsent::is_error)) {
    if (!name.ends_with(".conf") || name.starts_with('.')) continue;
    const std::string path = (fs::path(directory) / name).string();
    const bool is_file = fs::is_regular_file(path, code);
    if (is_file || (code && code != std::errc::no_such_file_or_directory)) {
      merge_file_below_main(path, name);
    } else if (fs::exists(path, code)) {  // /dev/null, for example: on purpose
      log::warning(log::kConfigComponent, "Discarding configuration file: {} (not a file)", name);
    } else {
      gaps_.push_back({.text = fmt::format("Discarding configuration file: {} (not found)", name),
                       .hint = fmt::format("\"{}\" is a link. {} Without it: rm {}", path,
                                           kHintOfLostLink, shell_quote(path)),
                       .is_for_log = true});
    }
  }
}

// An unreadable file takes its own servers out of the configuration, not the others.
void Configuration::merge_file_below_main(const std::string& path, const std::string& shown_name) {
  if (!is_readable(path)) {
    const int reason = errno;
    if (!unread_file_) unread_file_ = shown_name;
    gaps_.push_back({.text = fmt::format("Discarding configuration file: {} ({})", shown_name,
                                         errno_text(reason)),
                     .hint = fmt::format("What it configures is missing until the user that runs "
                                         "barman can read it: namei -l {} shows whose each part "
                                         "of the path is.",
                                         shell_quote(path))});
    return;
  }
  const IniKeys before = document_.keys(kGlobalSection);
  document_.merge(parse_ini(read_file(path, kMaxSmallFile, Links::follow), path), path);
  if (has_same_text(before, document_.keys(kGlobalSection))) return;
  const std::string text =
      fmt::format("the configuration file {} contains a not empty [barman] section", shown_name);
  log::write(log::Level::critical, log::kConfigComponent, text);
  throw StartupError("FATAL: " + text);
}

void Configuration::classify_sections() {
  for (const std::string& name : document_.section_names()) {
    if (name == kGlobalSection) continue;
    if (name == "all")
      throw StartupError(
          "FATAL: the reserved word 'all' is not allowed as server name.Please rename it.");
    if (!is_safe_name(name)) {
      ignore_section(name,
                     "the name of a server must not begin with '.' nor contain '/' or control "
                     "characters",
                     fmt::format("Correct the line [{}].", name));
      continue;
    }
    const auto model = document_.find_value(name, "model");
    const std::string_view word = model ? without_inline_comment(model->text) : std::string_view();
    if (means_unset(word)) {
      server_sections_.push_back(name);
      continue;
    }
    const auto is_model = parse_boolean(word);
    if (!is_model) {
      ignore_section(name,
                     fmt::format("invalid configuration value '{}' for key model: {}", model->text,
                                 boolean_refusal()),
                     fmt::format("Correct it in \"{}\": model = true; a server has no such line.",
                                 section_source(name, "model")));
    } else if (*is_model) {
      model_sections_.push_back(name);
    } else {
      server_sections_.push_back(name);
    }
  }
}

void Configuration::check_keys() {
  const auto check = [&](const std::string& section, bool (*is_known)(std::string_view)) {
    for (const auto& [key, setting] : document_.keys(section))
      if (!is_known(key)) warn_once(describe_unknown_key(section, key, is_known));
  };
  check(std::string(kGlobalSection), is_known_global_key);
  for (const std::string& name : server_sections_) check(name, is_known_server_key);
  for (const std::string& name : model_sections_) check(name, is_known_model_key);
}

void Configuration::switch_to_active_model(ServerConfig& server) {
  std::optional<std::string> name;
  try {
    name = find_active_model(server);
  } catch (const Error& error) {
    // Not knowing the model concerns this server only.
    disable_server(server, fmt::format("Cannot read the active model: {}", error.message()));
    return;
  }
  if (!name) return;
  const Model* model = find_model(*name);
  if (model == nullptr) {
    disable_server(server, fmt::format("Model '{}' is set as the active model for the server '{}' "
                                       "but the model does not exist.",
                                       *name, server.name));
  } else if (auto mismatch = find_cluster_mismatch(server, *model)) {
    disable_server(server, std::move(*mismatch));
  } else {
    log::debug(log::kConfigComponent, "Applying model '{}' to server '{}'", *name, server.name);
    apply_model(server, *model);
  }
}

void Configuration::build_servers(const ConninfoCheck& check_conninfo) {
  for (const std::string& name : server_sections_) {
    std::vector<std::string> warnings;
    ServerConfig server = resolve_server(document_, name, global_.barman_home, warnings);
    for (std::string& text : warnings) warn_once(std::move(text));
    server.unread_file = unread_file_;
    switch_to_active_model(server);
    servers_.emplace(name, std::move(server));
  }
  conflicts_ = find_path_conflicts(servers_);
  for (auto& [name, server] : servers_) validate_server(server, check_conninfo);
}

std::vector<std::string> Configuration::server_names() const {
  std::vector<std::string> names;
  for (const auto& [name, server] : servers_) names.push_back(name);
  return names;
}

const ServerConfig* Configuration::find_server(std::string_view name) const {
  const auto position = servers_.find(name);
  return position == servers_.end() ? nullptr : &position->second;
}

const Model* Configuration::find_model(std::string_view name) const {
  const auto position = models_.find(name);
  return position == models_.end() ? nullptr : &position->second;
}

std::optional<std::string> Configuration::find_written_text(std::string_view section,
                                                            std::string_view key) const {
  const IniSetting* setting = document_.find_setting(section, key);
  return setting != nullptr ? std::optional(setting->raw) : std::nullopt;
}

std::map<std::string, std::string> Configuration::written_texts(std::string_view section) const {
  std::map<std::string, std::string> texts;
  if (!document_.has_section(section)) return texts;
  for (const auto& [key, setting] : document_.keys(section)) texts.emplace(key, setting.raw);
  return texts;
}

std::set<std::string> Configuration::section_names() const {
  const std::vector<std::string> names = document_.section_names();
  return {names.begin(), names.end()};
}

bool Configuration::is_possible_section_name(std::string_view name) {
  return !name.empty() && name != "all" && name != kGlobalSection && name != "DEFAULT" &&
         name == strip(name) && name.find_first_of("[]") == std::string_view::npos &&
         is_safe_name(name);
}

std::string Configuration::source(const ServerConfig& server, std::string_view option) const {
  const Model* model = server.active_model ? find_model(*server.active_model) : nullptr;
  const std::string_view section =
      model != nullptr && model->values.contains(option) ? model->name : server.name;
  if (const IniSetting* setting = document_.find_setting(section, option)) return setting->file;
  return global_source(option);
}

std::string Configuration::global_source(std::string_view key) const {
  return section_source(kGlobalSection, key);
}

std::string Configuration::section_source(std::string_view section, std::string_view key) const {
  const IniSetting* setting = document_.find_setting(section, key);
  return setting != nullptr ? setting->file : "default";
}

void Configuration::ignore_section(const std::string& name, std::string_view reason,
                                   std::string hint) {
  gaps_.push_back(
      {.text = fmt::format("Ignoring section [{}]: {}", name, reason), .hint = std::move(hint)});
}

void Configuration::warn_once(std::string text) {
  if (known_warnings_.insert(text).second) warnings_.push_back(std::move(text));
}

}  // namespace barman::config
