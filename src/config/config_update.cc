#include "config/config_update.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/durable.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"
#include "config/ini_document.h"
#include "config/ini_editor.h"
#include "config/ini_reader.h"
#include "config/option_value.h"
#include "config/rendering.h"
#include "config/unusable_value.h"

namespace barman::config {
namespace {

using Json = nlohmann::ordered_json;

constexpr mode_t kSecretMode = 0600;

struct Refusal {
  std::string reason;
};

// A scalar as it would be written in a file; nullopt for lists and objects.
std::optional<std::string> scalar_text(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_null()) return "";
  if (value.is_boolean()) return value.get<bool>() ? "true" : "false";
  if (value.is_number_unsigned()) return fmt::to_string(value.get<std::uint64_t>());
  if (value.is_number_integer()) return fmt::to_string(value.get<std::int64_t>());
  if (value.is_number_float()) return shortest_float(value.get<double>());
  return std::nullopt;
}

// Whether the value of the key may be shown: a mistyped name of an option hides a secret.
bool is_known_key(std::string_view key) {
  constexpr std::array<std::string_view, 5> kWords = {"scope", "server_name", "model_name", "model",
                                                      "cluster"};
  return std::find(kWords.begin(), kWords.end(), key) != kWords.end() ||
         find_option(key) != nullptr;
}

OptionValue shown_scalar(const std::string& key, const Json& value) {
  if (!value.is_null() && !is_known_key(key)) return {std::string("*REDACTED*")};
  if (value.is_string()) {
    return {mask_secret_option(key, value.get<std::string>())};
  }
  if (value.is_boolean()) return {value.get<bool>()};
  if (value.is_number_integer()) return {value.get<std::int64_t>()};
  if (value.is_number_float()) return {value.get<double>()};
  if (value.is_null()) return {nullptr};
  return {std::string("...")};
}

// The object as Python shows it, without secrets.
std::string shown_section(const Json& object) {
  OptionValue::Object members;
  for (const auto& [key, value] : object.items()) members.emplace(key, shown_scalar(key, value));
  return python_text({std::move(members)});
}

std::string text_of(const Json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return "None";
  return scalar_text(*found).value_or("...");
}

enum class Kind { server, model };

std::optional<std::string> find_option_problem(Kind kind, const std::string& section,
                                               const OptionChange& change) {
  const std::string_view word = kind == Kind::server ? "server" : "model";
  const Option* const option = find_option(change.key);
  const bool is_known = kind == Kind::model
                            ? is_known_model_key(change.key)
                            : option != nullptr && has_scope(option->scopes, Scope::server);
  if (!is_known) {
    const std::string nearest =
        nearest_key(change.key, kind == Kind::model ? is_known_model_key : is_known_server_key);
    return fmt::format("Invalid option '{}' for {} '{}'{}{}", change.key, word, section,
                       nearest.empty() ? "" : ". ", nearest);
  }
  const auto failed = [&](std::string_view reason) {
    return fmt::format("Validation failed for {} '{}': key '{}' -> {}", word, section, change.key,
                       reason);
  };
  if (change.value.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos) {
    return failed("the value has more than one line");
  }
  if (change.key == "model") {
    return parse_boolean(change.value) == true ? std::nullopt
                                               : std::optional(failed(boolean_refusal()));
  }
  // A reference to another key has its value only in the file.
  if (change.value.find("%(") != std::string::npos) return std::nullopt;
  const ParsedOption parsed = parse_option(*option, unquote(strip(change.value)));
  if (parsed.refusal) return failed(*parsed.refusal);
  // A configuration file may have it, and goes on without; nobody asks for that.
  if (parsed.log_lines.empty()) return std::nullopt;
  return failed("the value would be discarded: " + join(parsed.log_lines, "; "));
}

bool is_model(const Configuration& configuration, const std::string& section) {
  if (configuration.find_model(section) != nullptr) return true;
  if (configuration.find_server(section) != nullptr) return false;
  const auto text = configuration.find_written_text(section, "model");
  return text && parse_boolean(without_inline_comment(*text)) == true;
}

class RequestReader {
 public:
  explicit RequestReader(const Configuration& configuration) : configuration_(configuration) {}

  ChangeSet read(const Json& object) const {
    const Kind kind = read_kind(object);
    const std::string name_key = kind == Kind::server ? "server_name" : "model_name";
    ChangeSet set{.section = read_name(object, kind, name_key), .changes = {}};
    if (kind == Kind::model && !is_model(configuration_, set.section)) {
      if (!object.contains("cluster")) {
        throw Refusal{invalid(object, "new model but 'cluster' is missing.")};
      }
      if (!object.contains("model")) set.changes.push_back({"model", "on"});
    }
    for (const auto& [key, value] : object.items()) {
      if (key == "scope" || key == name_key) continue;
      set.changes.push_back(read_change(kind, set.section, key, value));
    }
    return set;
  }

 private:
  static std::string invalid(const Json& object, std::string_view reason) {
    return fmt::format("Invalid section {}: {}", shown_section(object), reason);
  }

  static Kind read_kind(const Json& object) {
    const std::string scope = text_of(object, "scope");
    if (scope == "server") return Kind::server;
    if (scope == "model") return Kind::model;
    throw Refusal{invalid(object, fmt::format("'scope' is invalid: '{}'. It should be either "
                                              "'server' or 'model'.",
                                              scope))};
  }

  std::string read_name(const Json& object, Kind kind, const std::string& key) const {
    if (!object.contains(key)) throw Refusal{invalid(object, fmt::format("'{}' is missing.", key))};
    std::string name = text_of(object, key.c_str());
    if (!Configuration::is_possible_section_name(name)) {
      throw Refusal{invalid(object, fmt::format("'{}' is invalid: '{}'.", key, name))};
    }
    if (kind == Kind::server && is_model(configuration_, name)) {
      throw Refusal{invalid(object, fmt::format("'{}' is a model, not a server.", name))};
    }
    if (kind == Kind::model && configuration_.find_server(name) != nullptr) {
      throw Refusal{invalid(object, fmt::format("'{}' is a server, not a model.", name))};
    }
    return name;
  }

  static OptionChange read_change(Kind kind, const std::string& section, const std::string& key,
                                  const Json& value) {
    const std::optional<std::string> text = scalar_text(value);
    OptionChange change{.key = key, .value = std::string(strip(text.value_or("")))};
    if (const auto problem = find_option_problem(kind, section, change)) throw Refusal{*problem};
    if (!text) {
      throw Refusal{fmt::format("Validation failed for {} '{}': key '{}' -> the value is no text",
                                kind == Kind::server ? "server" : "model", section, key)};
    }
    return change;
  }

  const Configuration& configuration_;
};

ChangeSet read_queued_set(const Json& entry) {
  ChangeSet set{.section = entry.at("section").get<std::string>(), .changes = {}};
  for (const Json& change : entry.at("changes_set")) {
    // Barman let numbers into its queue and could not write them.
    const std::optional<std::string> value = scalar_text(change.at("value"));
    set.changes.push_back({change.at("key").get<std::string>(), value.value_or("\n")});
  }
  return set;
}

std::string written_text(const IniDocument& automatic, const Configuration& configuration,
                         const std::string& section, const std::string& key) {
  const IniSetting* const setting = automatic.find_setting(section, key);
  if (setting != nullptr) return setting->raw;
  return configuration.find_written_text(section, key).value_or("None");
}

}  // namespace

UpdateRequest parse_update_request(std::string_view json, const Configuration& configuration) {
  const Json document = Json::parse(json, nullptr, /*allow_exceptions=*/false);
  UpdateRequest request;
  if (document.is_object() && document.empty()) return request;
  const bool is_list_of_objects =
      document.is_array() && std::all_of(document.begin(), document.end(),
                                         [](const Json& item) { return item.is_object(); });
  if (!is_list_of_objects) {
    throw Error(ErrorKind::internal, "the changes are not a JSON array of objects",
                "Give a list, in single quotes: '[{\"scope\": \"server\", \"server_name\": "
                "\"main\", \"check_timeout\": \"60\"}]'.");
  }
  const RequestReader reader(configuration);
  for (const Json& object : document) {
    try {
      request.sets.push_back(reader.read(object));
    } catch (const Refusal& refusal) {  // The first one ends the request.
      return {
          .sets = {},
          .errors = {refusal.reason, fmt::format("Aborting config\u2010update: invalid section {}",
                                                 shown_section(object))}};
    }
  }
  std::erase_if(request.sets, [](const ChangeSet& set) { return set.changes.empty(); });
  return request;
}

std::optional<std::string> find_change_problem(const Configuration& configuration,
                                               const std::string& section,
                                               const OptionChange& change) {
  if (!Configuration::is_possible_section_name(section)) {
    return fmt::format("'{}' cannot be the name of a server or model", section);
  }
  const bool is_of_model = is_model(configuration, section) || change.key == "model";
  return find_option_problem(is_of_model ? Kind::model : Kind::server, section, change);
}

ChangeQueue parse_change_queue(std::string_view text) {
  ChangeQueue queue;
  try {
    for (const Json& entry : Json::parse(text)) queue.sets.push_back(read_queued_set(entry));
  } catch (const Json::exception&) {
    // Nobody can say what was meant; the file stays until the next change is queued.
    return {.sets = {}, .is_malformed = true};
  }
  return queue;
}

ChangeQueue load_change_queue(const std::filesystem::path& path) {
  const std::optional<std::string> text = find_and_read_file(path);
  return text ? parse_change_queue(*text) : ChangeQueue{};
}

void save_change_queue(const std::filesystem::path& path, const std::vector<ChangeSet>& sets,
                       const std::string& automatic_file) {
  Json document = Json::array();
  for (const ChangeSet& set : sets) {
    Json changes = Json::array();
    for (const OptionChange& change : set.changes) {
      changes.push_back(
          {{"key", change.key}, {"value", change.value}, {"config_file", automatic_file}});
    }
    document.push_back({{"section", set.section}, {"changes_set", std::move(changes)}});
  }
  constexpr int kIndent = 2;
  write_file_durably(path, document.dump(kIndent, ' ', true, Json::error_handler_t::replace),
                     kSecretMode);
}

std::vector<std::string> apply_change_set(const Configuration& configuration,
                                          const ChangeSet& set) {
  const std::string path = configuration.global().automatic_file();
  std::string text = find_and_read_file(path, kMaxSmallFile, Links::follow).value_or("");
  std::vector<std::string> lines;
  for (const OptionChange& change : set.changes) {
    IniDocument automatic;
    automatic.merge(parse_ini(text, path), path);
    const std::string old_text = written_text(automatic, configuration, set.section, change.key);
    lines.push_back(fmt::format(
        "Changing value of option '{}' for section '{}' from '{}' to '{}' through config-update.",
        change.key, set.section, mask_secret_option(change.key, old_text),
        mask_secret_option(change.key, change.value)));
    text = set_ini_value(text, set.section, change.key, change.value, path);
  }
  // Commit point of the whole set.
  write_file_durably(path, text, kSecretMode);
  return lines;
}

}  // namespace barman::config
