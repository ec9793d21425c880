// The bytes of an archive as it is stored, wherever it lies, read at any place by several threads.
#pragma once

#include <cstdint>

#include "base/fd.h"

namespace barman::stored {

class ArchiveBytes {
 public:
  virtual ~ArchiveBytes() = default;
  // Fills `buffer`; throws `corrupt` where the archive ends before.
  virtual void read(std::uint64_t offset, MutableBytes buffer) const = 0;
};

}  // namespace barman::stored
