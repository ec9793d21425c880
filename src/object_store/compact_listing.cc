#include "object_store/compact_listing.h"

#include <algorithm>
#include <vector>

namespace barman::object_store {
namespace {

constexpr std::size_t kChunkBytes = std::size_t{1} << 20;
// Seven bits a byte, the lowest ones first; the highest bit says that another one follows.
constexpr unsigned kBits = 7;
constexpr std::uint64_t kMore = std::uint64_t{1} << kBits;

}  // namespace

class CompactListing::Reader {
 public:
  explicit Reader(const std::list<std::string>& chunks)
      : chunk_(chunks.begin()), end_(chunks.end()) {}

  // False at the end.
  bool next(storage::ObjectFacts& object) {
    while (chunk_ != end_ && at_ == chunk_->size()) {
      ++chunk_;
      at_ = 0;
    }
    if (chunk_ == end_) return false;
    object.key.resize(static_cast<std::size_t>(number()));
    const auto size = static_cast<std::size_t>(number());
    object.key.append(*chunk_, at_, size);
    at_ += size;
    object.size_bytes = number();
    object.mtime_seconds = static_cast<std::int64_t>(number());
    object.mtime_nanoseconds = static_cast<std::int64_t>(number());
    return true;
  }

 private:
  std::uint64_t number() {
    std::uint64_t result = 0;
    for (unsigned shift = 0;; shift += kBits) {
      const auto byte = static_cast<unsigned char>((*chunk_)[at_++]);
      result |= (byte & (kMore - 1)) << shift;
      if (byte < kMore) return result;
    }
  }

  std::list<std::string>::const_iterator chunk_;
  const std::list<std::string>::const_iterator end_;
  std::size_t at_ = 0;
};

void CompactListing::put_number(std::uint64_t number) {
  for (; number >= kMore; number >>= kBits) {
    chunks_.back() += static_cast<char>(number % kMore | kMore);
  }
  chunks_.back() += static_cast<char>(number);
}

// An object lies in one chunk.
void CompactListing::add(const storage::ObjectFacts& object) {
  if (chunks_.empty() || chunks_.back().size() >= kChunkBytes) {
    constexpr std::size_t kRoomForTheLast = 4096;
    chunks_.emplace_back().reserve(kChunkBytes + kRoomForTheLast);
  }
  if (count_ > 0 && object.key < last_key_) is_sorted_ = false;
  const auto differs = std::ranges::mismatch(last_key_, object.key);
  const auto shared = static_cast<std::size_t>(differs.in2 - object.key.begin());
  put_number(shared);
  put_number(object.key.size() - shared);
  chunks_.back().append(object.key, shared, std::string::npos);
  put_number(object.size_bytes);
  put_number(static_cast<std::uint64_t>(object.mtime_seconds));
  put_number(static_cast<std::uint64_t>(object.mtime_nanoseconds));
  last_key_ = object.key;
  ++count_;
}

void CompactListing::visit(const storage::ObjectVisitor& visitor) const {
  Reader reader(chunks_);
  storage::ObjectFacts object;
  std::vector<storage::ObjectFacts> unsorted;
  std::string last_key;
  bool is_first = true;
  while (reader.next(object)) {
    if (!is_sorted_) {
      unsorted.push_back(object);
    } else if (is_first || object.key != last_key) {
      last_key = object.key;
      visitor(object);
    }
    is_first = false;
  }
  std::ranges::stable_sort(unsorted, {}, &storage::ObjectFacts::key);
  for (std::size_t i = 0; i < unsorted.size(); ++i) {
    if (i == 0 || unsorted[i].key != unsorted[i - 1].key) visitor(unsorted[i]);
  }
}

std::size_t CompactListing::size_bytes() const {
  std::size_t size = 0;
  for (const std::string& chunk : chunks_) size += chunk.capacity();
  return size;
}

}  // namespace barman::object_store
