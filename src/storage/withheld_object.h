// An object that is there, and that its store does not give: it was encrypted with another key of
// the customer, lies in an archive, or is forbidden by a rule. The answer is about this one object
// and stays the same when it is asked for again; whether others can be read is the caller's to find
// out. Stores that are overloaded, cannot be reached, or do not know who asks throw something else.
#pragma once

#include "base/error.h"

namespace barman::storage {

// Of the kind that any other refusal of the store has.
class WithheldObject : public Error {
 public:
  using Error::Error;
};

}  // namespace barman::storage
