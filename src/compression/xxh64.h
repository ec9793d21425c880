// The checksum at the end of a frame of Zstandard (RFC 8878, 3.1.1): XXH64 with seed 0.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/fd.h"

namespace barman::compression {

class Xxh64 {
 public:
  void add(Bytes data);
  std::uint64_t value() const;

 private:
  static constexpr std::size_t kStripe = 32;
  static constexpr std::uint64_t kPrime1 = 0x9E3779B185EBCA87ULL;
  static constexpr std::uint64_t kPrime2 = 0xC2B2AE3D27D4EB4FULL;

  void add_stripe(const std::byte* stripe);

  std::array<std::uint64_t, 4> lanes_ = {kPrime1 + kPrime2, kPrime2, 0, 0 - kPrime1};
  std::array<std::byte, kStripe> rest_{};
  std::size_t rest_size_ = 0;
  std::uint64_t size_bytes_ = 0;
};

}  // namespace barman::compression
