#include "config/unusable_value.h"

#include <array>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/nearest.h"
#include "base/text.h"
#include "config/option_words.h"

namespace barman::config {
namespace {

constexpr std::string_view kBackupCompression = "backup_compression";
constexpr std::string_view kXz = "xz";

std::string place_text(const IniDocument& document, std::string_view section,
                       std::string_view key) {
  const IniSetting* setting = document.find_setting(section, key);
  if (setting == nullptr) return {};
  return fmt::format("\"{}\", line {}; ", setting->file, setting->line_number);
}

std::string describe_value(std::string_view key, std::string_view section, std::string_view text,
                           std::string_view reason) {
  return fmt::format("Invalid configuration value '{}' for key {} in [{}] section: {}",
                     replace_all(std::string(text), "\n", " "), key, section, reason);
}

// What follows, where it is more than that the option counts as not set.
std::string_view consequence(std::string_view option) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 7> kConsequences = {{
      {"retention_policy", "Until then no backup is deleted by a retention policy."},
      {"retention_policy_mode", "Until then no backup is deleted by a retention policy."},
      {"wal_retention_policy", "Until then no backup is deleted by a retention policy."},
      {"minimum_redundancy", "Until then no backup is deleted."},
      {"backup_method", "Until then no backup is taken."},
      {"encryption", "Until then no backup is taken, and WAL files are stored in clear."},
      {"worm_mode", "Until then it counts as on."},
  }};
  for (const auto& [name, text] : kConsequences) {
    if (name == option) return text;
  }
  return {};
}

}  // namespace

const Option& local_backup_compression() {
  static const Option kLocal = [] {
    Option option = *find_option(kBackupCompression);
    option.words = "gzip lz4 zstd none";
    return option;
  }();
  return kLocal;
}

std::string xz_advice(const Option& option, std::string_view text) {
  if (option.name != kBackupCompression || to_lower(without_inline_comment(text)) != kXz) return {};
  return " It is for backups in a bucket (basebackups_directory = s3://...).";
}

std::optional<UnusableValue> find_local_xz(const ServerConfig& config, std::string_view model,
                                           std::string_view option, const OptionData& value) {
  const auto* word = std::get_if<std::string>(&value);
  if (option != kBackupCompression || word == nullptr || *word != kXz ||
      config.has_cloud_basebackups()) {
    return std::nullopt;
  }
  const Option& local = local_backup_compression();
  return UnusableValue{
      .written = *word,
      .text = describe_value(option, model, *word,
                             parse_option(local, *word).refusal.value_or("it is not understood")) +
              "." + xz_advice(local, *word) + " Correct it."};
}

std::string describe_unusable(const IniDocument& document, std::string_view section,
                              const Option& option, std::string_view text,
                              const ParsedOption& parsed) {
  std::string reason = parsed.refusal.value_or("it is not understood");
  if (option.type == OptionType::tablespace_limits) reason = join(parsed.log_lines, "; ");
  const std::vector<std::string> words = split_blanks(option.words);
  const std::vector<std::string_view> views(words.begin(), words.end());
  const auto meant = find_nearest(without_inline_comment(text), views);
  const std::string example = meant ? std::string(*meant) : example_value(option);

  std::string told = describe_value(option.name, section, text, reason) + " (" +
                     place_text(document, section, option.name);
  // Some reasons have it already.
  if (reason.find("must be") == std::string::npos)
    told += fmt::format("allowed: {}; ", allowed_values(option));
  told += fmt::format("for example: {} = {}).", option.name, example);
  if (meant) told += fmt::format(" Did you mean '{}'?", *meant);
  told += xz_advice(option, text);
  const std::string_view follows = consequence(option.name);
  return follows.empty() ? told + " Correct it." : fmt::format("{} Correct it. {}", told, follows);
}

std::string describe_unusable_global(const IniDocument& document, std::string_view key,
                                     std::string_view text, std::string_view allowed,
                                     std::string_view example) {
  return describe_value(key, kGlobalSection, text, "it is not understood") +
         fmt::format(" ({}allowed: {}; for example: {} = {}). Correct it.",
                     place_text(document, kGlobalSection, key), allowed, key, example);
}

std::string ignored_value_warning(std::string_view described) {
  return fmt::format("Ignoring i{}", described.substr(1));
}

void choose_careful_value(ServerConfig& config, std::string_view option) {
  // What is immutable cannot be removed anyway; what is not must not go because of a typo.
  if (option == "worm_mode") config.worm_mode = true;
}

std::string nearest_key(std::string_view key, bool (*is_known)(std::string_view key)) {
  std::vector<std::string_view> names;
  for (const Option& option : server_options()) {
    if (option.scopes != Scope::none && is_known(option.name)) names.push_back(option.name);
  }
  for (const GlobalOption& option : global_options()) {
    if (is_known(option.name)) names.push_back(option.name);
  }
  return did_you_mean(key, names);
}

std::string describe_unknown_key(std::string_view section, std::string_view key,
                                 bool (*is_known)(std::string_view key)) {
  std::string text =
      fmt::format("Invalid configuration option \"{}\" in [{}] section.", key, section);
  const std::string nearest = nearest_key(key, is_known);
  if (!nearest.empty()) text += " " + nearest;
  return text;
}

}  // namespace barman::config
