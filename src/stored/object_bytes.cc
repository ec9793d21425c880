#include "stored/object_bytes.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/error.h"

namespace barman::stored {
namespace {

// So many are kept for those who go on where they have stopped.
constexpr std::size_t kKeptReaders = 3;

}  // namespace

ObjectBytes::ObjectBytes(const storage::Storage& storage, std::string key)
    : storage_(storage), key_(std::move(key)) {}

ObjectBytes::Reader ObjectBytes::take(std::uint64_t offset) const {
  std::unique_ptr<pipeline::ContentFile> another;
  {
    const std::lock_guard lock(mutex_);
    auto found = std::ranges::find(free_, offset, &Reader::next_offset);
    if (found == free_.end() && free_.size() >= kKeptReaders) found = std::prev(free_.end());
    if (found != free_.end()) {
      Reader reader = std::move(*found);
      free_.erase(found);
      return reader;
    }
    if (!free_.empty()) another = free_.front().file->another();
  }
  return {.file = another ? std::move(another) : storage_.open(key_), .next_offset = 0};
}

void ObjectBytes::read(std::uint64_t offset, MutableBytes buffer) const {
  Reader reader = take(offset);
  if (reader.file->read_at(offset, buffer) < buffer.size()) {
    throw Error(ErrorKind::corrupt, storage_.describe(key_) + " is shorter than it was");
  }
  reader.next_offset = offset + buffer.size();
  const std::lock_guard lock(mutex_);
  free_.push_front(std::move(reader));
}

}  // namespace barman::stored
