// Changes settings in the text of a configuration file. Everything else, comments and blanks
// included, stays as it is.
#pragma once

#include <string>
#include <string_view>

namespace barman::config {

// The text with `key = value` in [section]: in the place of the setting that counts now, or at the
// end of the section, or in a new section at the end. `name` names the file in errors. `value` is
// one line without blanks around it. Throws Error(config) when the text is no configuration file or
// its layout does not allow the change.
std::string set_ini_value(std::string_view text, std::string_view section, std::string_view key,
                          std::string_view value, const std::string& name);

}  // namespace barman::config
