// Values that are not understood: how they are told, and what counts instead where a wrong guess
// could not be taken back. One rule for all options.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "config/ini_document.h"
#include "config/option_table.h"
#include "config/option_value.h"
#include "config/server_config.h"

namespace barman::config {

// Why the value is none, with file and line, what is allowed, an example, the nearest word, and
// what follows: "Invalid configuration value 'two' for key minimum_redundancy in [main] section:
// ...".
std::string describe_unusable(const IniDocument& document, std::string_view section,
                              const Option& option, std::string_view text,
                              const ParsedOption& parsed);

// The same for a key of [barman] that is no option of servers.
std::string describe_unusable_global(const IniDocument& document, std::string_view key,
                                     std::string_view text, std::string_view allowed,
                                     std::string_view example);

// The same as the warning at each command, which begins as Barman's: "Ignoring invalid ...".
std::string ignored_value_warning(std::string_view described);

// Replaces what took the place of a value that is not understood by the careful choice.
void choose_careful_value(ServerConfig& config, std::string_view option);

// backup_compression = xz, which Barman does not know, is for backups in a bucket. Of other servers
// it is not understood: this is their option.
const Option& local_backup_compression();
// What follows the reason then, or nothing.
std::string xz_advice(const Option& option, std::string_view text);
// The same of a model that is active for such a server; its value does not count.
std::optional<UnusableValue> find_local_xz(const ServerConfig& config, std::string_view model,
                                           std::string_view option, const OptionData& value);

// "Did you mean 'backup_method'?", or nothing.
std::string nearest_key(std::string_view key, bool (*is_known)(std::string_view key));
// "Invalid configuration option "bakup_method" in [main] section. Did you mean 'backup_method'?"
std::string describe_unknown_key(std::string_view section, std::string_view key,
                                 bool (*is_known)(std::string_view key));

}  // namespace barman::config
