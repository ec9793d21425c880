// What cksum(1) prints, which is on every POSIX host: a CRC-32 of the bytes and of their number.
#pragma once

#include <cstdint>

#include "base/fd.h"

namespace barman {

class PosixChecksum {
 public:
  void update(Bytes data);
  std::uint32_t finish();

 private:
  std::uint32_t crc_ = 0;
  std::uint64_t size_bytes_ = 0;
};

}  // namespace barman
