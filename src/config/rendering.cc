#include "config/rendering.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/python_text.h"
#include "base/secrets.h"
#include "base/text.h"

namespace barman::config {
namespace {

OptionValue text_value(std::string text) { return {std::move(text)}; }

// Inside a list or an object strings are quoted.
std::string python_repr(const OptionValue& value) {
  const auto* text = std::get_if<std::string>(&value.data);
  return text != nullptr ? python_quoted(*text) : python_text(value);
}

OptionValue limits_value(const TablespaceLimits& limits) {
  OptionValue::Object object;
  for (const auto& [name, limit] : limits) object.emplace(name, OptionValue{limit});
  return {std::move(object)};
}

OptionValue list_value(const std::vector<std::string>& words) {
  OptionValue::List list;
  for (const std::string& word : words) list.push_back(text_value(word));
  return {std::move(list)};
}

// BackupOptions({'concurrent_backup'}), RecoveryOptions().
std::string word_set_repr(const Option& option, const std::vector<std::string>& words) {
  const std::string_view type =
      option.name == "backup_options" ? "BackupOptions" : "RecoveryOptions";
  if (words.empty()) return fmt::format("{}()", type);
  std::vector<std::string> quoted;
  for (const std::string& word : words) quoted.push_back(python_quoted(word));
  return fmt::format("{}({{{}}})", type, join(quoted, ", "));
}

// The alternatives that both forms render alike.
struct Renderer {
  OptionValue operator()(std::monostate) const { return {nullptr}; }
  OptionValue operator()(bool value) const { return {value}; }
  OptionValue operator()(std::int64_t value) const { return {value}; }
  OptionValue operator()(const std::string& value) const { return {value}; }
  OptionValue operator()(const std::vector<std::string>& value) const { return list_value(value); }
  OptionValue operator()(const Interval& value) const { return text_value(value.human_text()); }
  OptionValue operator()(const RetentionPolicy& value) const { return text_value(value.text()); }
  OptionValue operator()(const TablespaceLimits& value) const { return limits_value(value); }
};

// What depends on more than the option itself: a valid retention policy makes the one of WAL files
// a policy, too; an invalid one is shown as written.
OptionData effective_data(const ServerConfig& config, const Option& option) {
  if (option.name == "wal_retention_policy" && config.retention_policy)
    return to_upper(config.wal_retention_policy);
  const UnusableValue* unusable = config.find_unusable(option.name);
  if (option.type == OptionType::retention && unusable != nullptr) return unusable->written;
  return get_option(config, option);
}

bool is_secret(std::string_view option, std::string_view text) {
  if (text.empty() || text == "None") return false;
  // The key itself, or where it is kept ("file:///etc/barman/key").
  if (option == "aws_sse_customer_key") return !text.starts_with("file://");
  // A command line that prints the passphrase, "echo secret" among them.
  return option == "encryption_passphrase_command";
}

OptionValue without_secret(const Option& option, OptionValue value) {
  if (auto* text = std::get_if<std::string>(&value.data))
    *text = mask_secret_option(option.name, std::move(*text));
  return value;
}

// What both forms show of any other value.
OptionValue shown_value(const Option& option, const OptionData& value) {
  const auto* text = std::get_if<std::string>(&value);
  if (text != nullptr && option.type == OptionType::level) {
    if (const auto number = parse_integer(*text)) return {*number};
  }
  if (text != nullptr && option.name == "encryption" && *text == "none") return {nullptr};
  return without_secret(option, std::visit(Renderer{}, value));
}

// A function of its own: g++ 12 at -O2 takes the variant's unused members for uninitialised data
// when it is built in the argument list.
[[gnu::noinline]] OptionValue boolean_value(bool value) { return OptionValue{value}; }

}  // namespace

OptionValue native_value(const Option& option, const OptionData& value) {
  const auto* words = std::get_if<std::vector<std::string>>(&value);
  if (option.type == OptionType::word_set && words != nullptr)
    return text_value(word_set_repr(option, *words));
  const auto* interval = std::get_if<Interval>(&value);
  if (option.name == "last_backup_maximum_age")
    return text_value(interval != nullptr ? interval->human_text() : "None");
  if (interval != nullptr) return text_value(interval->clock_text());
  return shown_value(option, value);
}

OptionValue exported_value(const Option& option, const OptionData& value) {
  const auto* words = std::get_if<std::vector<std::string>>(&value);
  if (option.type == OptionType::word_set && words != nullptr) return text_value(join(*words, ","));
  return shown_value(option, value);
}

ShownOptions list_native_options(const ServerConfig& config) {
  ShownOptions shown;
  for (const Option& option : server_options())
    shown.emplace_back(option.name, native_value(option, effective_data(config, option)));
  shown.emplace_back("active_model", config.active_model ? OptionValue{*config.active_model}
                                                         : OptionValue{nullptr});
  shown.emplace_back("name", OptionValue{config.name});
  shown.emplace_back("passive_node", boolean_value(config.is_passive()));
  std::sort(shown.begin(), shown.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  return shown;
}

ShownOptions list_exported_options(const ServerConfig& config) {
  ShownOptions shown;
  for (const Option& option : server_options())
    shown.emplace_back(option.name, exported_value(option, effective_data(config, option)));
  shown.emplace_back("name", OptionValue{config.name});
  return shown;
}

std::string mask_secret_option(std::string_view option, std::string text) {
  constexpr std::string_view kMask = "*REDACTED*";
  if (text.empty() || text == "None") return text;  // That nothing is set is no secret.
  if (is_secret(option, text)) return std::string(kMask);
  return option.ends_with("conninfo") ? mask_conninfo(text) : std::move(text);
}

std::string python_text(const OptionValue& value) {
  struct Writer {
    std::string operator()(std::nullptr_t) const { return "None"; }
    std::string operator()(bool flag) const { return flag ? "True" : "False"; }
    std::string operator()(std::int64_t number) const { return fmt::to_string(number); }
    std::string operator()(double number) const { return shortest_float(number); }
    std::string operator()(const std::string& text) const { return text; }
    std::string operator()(const OptionValue::List& list) const {
      std::vector<std::string> parts;
      for (const OptionValue& item : list) parts.push_back(python_repr(item));
      return fmt::format("[{}]", join(parts, ", "));
    }
    std::string operator()(const OptionValue::Object& object) const {
      std::vector<std::string> parts;
      for (const auto& [key, item] : object)
        parts.push_back(fmt::format("{}: {}", python_quoted(key), python_repr(item)));
      return fmt::format("{{{}}}", join(parts, ", "));
    }
  };
  return std::visit(Writer{}, value.data);
}

}  // namespace barman::config
