// A failure on another host after which nobody here knows what is there: the connection was cut
// while the directories were prepared, or while the restore was completed.
#pragma once

#include <string>
#include <utility>

#include "base/error.h"

namespace barman::restore {

class UncertainFailure : public Error {
 public:
  // `way_on` holds whatever is there.
  UncertainFailure(const Error& error, const std::string& way_on)
      : Error(error.kind(), error.describe(),
              error.hint().empty() ? way_on : error.hint() + " " + way_on) {}
};

}  // namespace barman::restore
