// What nobody has expected, told as an Error.
#pragma once

#include <exception>

#include "base/error.h"

namespace barman {

// The same as an Error, without what a derived type adds. Of what is none it is one of kind
// `internal`, whose message has the cause and its type: "out of memory", "stoi
// (std::invalid_argument)".
Error as_error(const std::exception& error);

}  // namespace barman
