#include "compression/xxh64.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace barman::compression {
namespace {

constexpr std::uint64_t kPrime1 = 0x9E3779B185EBCA87ULL;
constexpr std::uint64_t kPrime2 = 0xC2B2AE3D27D4EB4FULL;
constexpr std::uint64_t kPrime3 = 0x165667B19E3779F9ULL;
constexpr std::uint64_t kPrime4 = 0x85EBCA77C2B2AE63ULL;
constexpr std::uint64_t kPrime5 = 0x27D4EB2F165667C5ULL;

template <typename Number>
Number read_number(const std::byte* bytes) {
  static_assert(std::endian::native == std::endian::little);
  Number number;
  std::memcpy(&number, bytes, sizeof(number));
  return number;
}

std::uint64_t mix(std::uint64_t lane, std::uint64_t input) {
  return std::rotl(lane + input * kPrime2, 31) * kPrime1;
}

std::uint64_t avalanche(std::uint64_t hash) {
  hash = (hash ^ (hash >> 33U)) * kPrime2;
  hash = (hash ^ (hash >> 29U)) * kPrime3;
  return hash ^ (hash >> 32U);
}

}  // namespace

void Xxh64::add_stripe(const std::byte* stripe) {
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    lanes_[i] = mix(lanes_[i], read_number<std::uint64_t>(stripe + i * sizeof(std::uint64_t)));
  }
}

void Xxh64::add(Bytes data) {
  size_bytes_ += data.size();
  if (rest_size_ > 0) {
    const Bytes taken = data.first(std::min(data.size(), kStripe - rest_size_));
    std::copy(taken.begin(), taken.end(), rest_.begin() + static_cast<std::ptrdiff_t>(rest_size_));
    rest_size_ += taken.size();
    data = data.subspan(taken.size());
    if (rest_size_ < kStripe) return;
    add_stripe(rest_.data());
    rest_size_ = 0;
  }
  for (; data.size() >= kStripe; data = data.subspan(kStripe)) add_stripe(data.data());
  std::copy(data.begin(), data.end(), rest_.begin());
  rest_size_ = data.size();
}

std::uint64_t Xxh64::value() const {
  std::uint64_t hash = kPrime5;
  if (size_bytes_ >= kStripe) {
    hash = std::rotl(lanes_[0], 1) + std::rotl(lanes_[1], 7) + std::rotl(lanes_[2], 12) +
           std::rotl(lanes_[3], 18);
    for (const std::uint64_t lane : lanes_) hash = (hash ^ mix(0, lane)) * kPrime1 + kPrime4;
  }
  hash += size_bytes_;
  const std::byte* at = rest_.data();
  const std::byte* const end = at + rest_size_;
  for (; end - at >= 8; at += 8) {
    hash = std::rotl(hash ^ mix(0, read_number<std::uint64_t>(at)), 27) * kPrime1 + kPrime4;
  }
  if (end - at >= 4) {
    hash = std::rotl(hash ^ (read_number<std::uint32_t>(at) * kPrime1), 23) * kPrime2 + kPrime3;
    at += 4;
  }
  for (; at != end; ++at) {
    hash = std::rotl(hash ^ (std::to_integer<std::uint64_t>(*at) * kPrime5), 11) * kPrime1;
  }
  return avalanche(hash);
}

}  // namespace barman::compression
