// What a value of an option may be, in words: for the manual page and for messages about a value
// that is none.
#pragma once

#include <string>

#include "config/option_table.h"

namespace barman::config {

// "on or off", "one of: rsync, postgres, local-rsync, snapshot, local-to-cloud".
std::string allowed_values(const Option& option);
// One that is accepted: "RECOVERY WINDOW OF 7 DAYS". Empty for texts and paths that are not
// checked.
std::string example_value(const Option& option);

}  // namespace barman::config
