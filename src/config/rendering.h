// How the values of a server are shown: in native form for show-servers, as text and
// numbers for diagnose and sync-info.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "config/option_table.h"

namespace barman::config {

// A value of JSON.
struct OptionValue {
  using List = std::vector<OptionValue>;
  using Object = std::map<std::string, OptionValue>;
  std::variant<std::nullptr_t, bool, std::int64_t, double, std::string, List, Object> data;

  bool operator==(const OptionValue&) const = default;
};

using ShownOptions = std::vector<std::pair<std::string, OptionValue>>;

// As show-servers prints it, in text (through python_text) and JSON alike.
OptionValue native_value(const Option& option, const OptionData& value);
// As diagnose and sync-info print it.
OptionValue exported_value(const Option& option, const OptionData& value);

// For show-servers, in order of name: all options and active_model, name, passive_node. The caller
// appends the age of the last backup to last_backup_maximum_age unless that is the text "None".
ShownOptions list_native_options(const ServerConfig& config);
// For diagnose and sync-info: all options in the order of the table, then name.
ShownOptions list_exported_options(const ServerConfig& config);

// The text of an option as it may be shown: keys and commands that print a passphrase are replaced
// by *REDACTED*, and connection strings are masked by mask_conninfo(). (Passwords in other texts
// are masked by whoever prints.)
std::string mask_secret_option(std::string_view option, std::string text);

// str() of Python: True, None, ['a', 'b'], {'t1': 100}; a string on its own stands without quotes.
std::string python_text(const OptionValue& value);

}  // namespace barman::config
