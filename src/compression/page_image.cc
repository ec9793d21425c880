#include "compression/page_image.h"

#include <lz4.h>
#include <zstd.h>

#include <algorithm>
#include <cstdint>

namespace barman::compression {
namespace {

class PglzReader {
 public:
  PglzReader(Bytes from, std::span<std::byte> to) : from_(from), to_(to) {}

  bool run() {
    while (from_begin_ < from_.size() && to_size_ < to_.size()) {
      if (!take_items(take())) return false;
    }
    return from_begin_ == from_.size() && to_size_ == to_.size();
  }

 private:
  std::uint8_t take() { return std::to_integer<std::uint8_t>(from_[from_begin_++]); }
  std::size_t left() const { return from_.size() - from_begin_; }

  bool take_items(unsigned bits) {
    constexpr int kItems = 8;
    for (int item = 0; item < kItems && left() > 0 && to_size_ < to_.size(); ++item, bits >>= 1U) {
      if ((bits & 1U) == 0) {
        to_[to_size_++] = from_[from_begin_++];
      } else if (!take_copy()) {
        return false;
      }
    }
    return true;
  }

  bool take_copy() {
    constexpr unsigned kShortest = 3;
    constexpr unsigned kLongestShort = 18;
    if (left() < 2) return false;
    const unsigned first = take();
    const std::size_t distance = (first & 0xF0U) << 4U | take();
    std::size_t length = (first & 0x0FU) + kShortest;
    if (length == kLongestShort) {
      if (left() == 0) return false;
      length += take();
    }
    if (distance == 0 || distance > to_size_) return false;
    length = std::min(length, to_.size() - to_size_);
    // What it copies may be what it writes.
    for (; length > 0; --length, ++to_size_) to_[to_size_] = to_[to_size_ - distance];
    return true;
  }

  Bytes from_;
  std::size_t from_begin_ = 0;
  std::span<std::byte> to_;
  std::size_t to_size_ = 0;
};

bool decompress_lz4(Bytes from, std::span<std::byte> to) {
  const auto size = static_cast<int>(to.size());
  return ::LZ4_decompress_safe(reinterpret_cast<const char*>(from.data()),
                               reinterpret_cast<char*>(to.data()), static_cast<int>(from.size()),
                               size) == size;
}

}  // namespace

bool decompress_page(PageCompression form, Bytes compressed, std::span<std::byte> page) {
  switch (form) {
    case PageCompression::pglz:
      return PglzReader(compressed, page).run();
    case PageCompression::lz4:
      return decompress_lz4(compressed, page);
    case PageCompression::zstd:
      return ::ZSTD_decompress(page.data(), page.size(), compressed.data(), compressed.size()) ==
             page.size();
  }
  return false;
}

}  // namespace barman::compression
