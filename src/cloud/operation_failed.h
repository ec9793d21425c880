// The bucket could be reached, and what was asked for cannot be done: programs end with their own
// code for that, and tell the message as it is.
#pragma once

#include <string>
#include <utility>

#include "base/error.h"

namespace barman::cloud {

class OperationFailed : public Error {
 public:
  explicit OperationFailed(std::string message, std::string hint = {})
      : Error(ErrorKind::conflict, std::move(message), std::move(hint)) {}
};

}  // namespace barman::cloud
