// What another barman has answered, printed again: JSON with an indent of 4 and without secrets.
#pragma once

#include <string>
#include <string_view>

#include "base/fd.h"

namespace barman::output {

// The text of an option as another host may see it. A command that prints a passphrase may hold it.
std::string without_secret(std::string_view option, std::string text);

// Nothing is written unless all of `in`, a file, is JSON and an object: throws `remote` "… is not a
// JSON object".
void copy_json_object(const Fd& out, Fd in, std::string_view name_of_input);

}  // namespace barman::output
