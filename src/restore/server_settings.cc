#include "restore/server_settings.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace barman::restore {
namespace {

// Made comments: they would end recovery elsewhere, delay it, or run commands of the old host.
constexpr std::array<std::string_view, 13> kRemoved = {
    "recovery_target",          "recovery_target_name",   "recovery_target_time",
    "recovery_target_xid",      "recovery_target_lsn",    "recovery_target_inclusive",
    "recovery_target_timeline", "recovery_target_action", "archive_library",
    "archive_cleanup_command",  "recovery_end_command",   "recovery_min_apply_delay",
    "promote_trigger_file",
};

// Would lead to the files of the old place.
constexpr std::array<std::string_view, 4> kPlaces = {"data_directory", "config_file", "hba_file",
                                                     "ident_file"};

constexpr std::array<std::string_view, 16> kReported = {
    "data_directory",
    "config_file",
    "hba_file",
    "ident_file",
    "external_pid_file",
    "ssl_cert_file",
    "ssl_key_file",
    "ssl_ca_file",
    "ssl_crl_file",
    "unix_socket_directory",
    "unix_socket_directories",
    "include",
    "include_dir",
    "include_if_exists",
    "primary_conninfo",
    "primary_slot_name",
};

constexpr std::string_view kBlanks = " \t\r\f\v";

struct Setting {
  std::string name;  // lower case: PostgreSQL does not distinguish
  std::string value;
};

// nullopt for comments, empty lines and what is no setting.
std::optional<Setting> parse_setting(std::string_view line) {
  line = strip(line);
  if (line.empty() || line.front() == '#') return std::nullopt;
  const std::size_t end = std::min(line.find_first_of(" \t\r\f\v='"), line.size());
  if (end == 0) return std::nullopt;
  Setting setting{.name = to_lower(line.substr(0, end)), .value = {}};
  std::string_view rest = line.substr(end);
  rest.remove_prefix(std::min(rest.find_first_not_of(kBlanks), rest.size()));
  if (!rest.empty() && rest.front() == '=') rest.remove_prefix(1);
  setting.value = strip(rest);
  return setting;
}

// The text of a quoted or bare value, without a comment behind it.
std::string unquote_value(std::string_view value) {
  if (value.empty() || value.front() != '\'') {
    return std::string(value.substr(0, value.find_first_of(" \t#")));
  }
  std::string text;
  for (std::size_t i = 1; i < value.size(); ++i) {
    const bool is_doubled = i + 1 < value.size() && value[i] == '\'' && value[i + 1] == '\'';
    if (value[i] == '\'' && !is_doubled) break;
    if ((is_doubled || value[i] == '\\') && i + 1 < value.size()) ++i;
    text += value[i];
  }
  return text;
}

template <typename Names>
bool is_in(const Names& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

class Review {
 public:
  Review(const std::string& file, const ReviewRules& rules) : file_(file), rules_(rules) {}

  // `line` without its newline, which is added unless it is the unfinished last line.
  void take(std::string_view line, std::string_view newline) {
    ++original_line_;
    const std::optional<Setting> setting = parse_setting(line);
    if (setting && setting->name == "archive_command" && rules_.scope == ReviewScope::all) {
      note_change(*setting, "false");
      put("#BARMAN#", line, "\n");
      put("", "archive_command = false", newline);
      return;
    }
    if (setting && is_removed(setting->name)) {
      note_change(*setting, std::nullopt);
      put("#BARMAN#", line, newline);
      return;
    }
    put("", line, newline);
    if (!setting) return;
    if (setting->name == "hot_standby") {
      result_.hot_standby = {file_, rewritten_line_, setting->name, unquote_value(setting->value)};
    }
    if (is_reported(setting->name)) {
      result_.warnings.push_back({file_, rewritten_line_, setting->name, setting->value});
    }
    if (setting->name == "include" || setting->name == "include_if_exists") {
      result_.includes.push_back({IncludeKind::file, unquote_value(setting->value)});
    } else if (setting->name == "include_dir") {
      result_.includes.push_back({IncludeKind::directory, unquote_value(setting->value)});
    }
  }

  ReviewedSettings finish() { return std::move(result_); }

 private:
  bool is_removed(std::string_view name) const {
    if (rules_.places == FilePlaces::data_directory && is_in(kPlaces, name)) return true;
    if (rules_.scope == ReviewScope::places) return false;
    if (name == "restore_command") return rules_.restore_command == RestoreCommand::ours;
    return is_in(kRemoved, name);
  }
  bool is_reported(std::string_view name) const {
    return name == "restore_command" || is_in(kReported, name);
  }
  void note_change(const Setting& setting, std::optional<std::string> value) {
    result_.changes.push_back({file_, original_line_, setting.name, std::move(value)});
  }
  void put(std::string_view prefix, std::string_view line, std::string_view newline) {
    ++rewritten_line_;
    result_.content.append(prefix).append(line).append(newline);
  }

  const std::string& file_;
  const ReviewRules& rules_;
  std::size_t original_line_ = 0;
  std::size_t rewritten_line_ = 0;
  ReviewedSettings result_;
};

}  // namespace

bool is_off(std::string_view value) {
  const std::string word = to_lower(strip(value));
  if (word == "0" || word == "of") return true;
  return !word.empty() && (word == "off" || std::string_view("false").starts_with(word) ||
                           std::string_view("no").starts_with(word));
}

ReviewedSettings review_settings(std::string_view content, const std::string& file,
                                 const ReviewRules& rules) {
  Review review(file, rules);
  while (!content.empty()) {
    const std::size_t end = content.find('\n');
    if (end == std::string_view::npos) {
      review.take(content, "");
      break;
    }
    review.take(content.substr(0, end), "\n");
    content.remove_prefix(end + 1);
  }
  return review.finish();
}

}  // namespace barman::restore
