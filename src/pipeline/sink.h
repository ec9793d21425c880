// Where bytes go. A chain is built back to front: each filter is a Sink that holds a reference to
// the next one. write() takes all of `data` or throws. finish() is called exactly once, after the
// last write, and makes the bytes durable; a Sink that is destroyed without finish() leaves nothing
// that could be mistaken for a complete result.
#pragma once

#include "base/fd.h"

namespace barman::pipeline {

class Sink {
 public:
  virtual ~Sink() = default;
  virtual void write(Bytes data) = 0;
  virtual void finish() = 0;
};

}  // namespace barman::pipeline
