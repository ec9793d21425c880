#include "stored/frame_cache.h"

#include <algorithm>
#include <thread>

namespace barman::stored {
namespace {

// More processors than need them do not make memory for more frames.
constexpr unsigned kMaxCachedFrames = 18;

}  // namespace

FrameCache::FrameCache()
    : FrameCache(std::min(kMaxCachedFrames, 2 * std::thread::hardware_concurrency() + 2)) {}

std::shared_ptr<const FrameContent> FrameCache::get(const void* archive, std::size_t frame,
                                                    const std::function<FrameContent()>& decode) {
  std::unique_lock lock(mutex_);
  while (const std::shared_ptr<Slot> slot = find_slot(archive, frame)) {
    slot->last_use = ++clock_;
    ready_.wait(lock, [&] { return slot->is_ready; });
    if (!slot->has_failed) return {slot, &slot->content};
  }
  const std::shared_ptr<Slot> slot = add_slot(archive, frame);
  lock.unlock();
  try {
    slot->content = decode();
  } catch (...) {
    lock.lock();
    slot->is_ready = true;
    slot->has_failed = true;
    std::erase(slots_, slot);
    ready_.notify_all();
    throw;
  }
  lock.lock();
  slot->is_ready = true;
  ready_.notify_all();
  return {slot, &slot->content};
}

std::shared_ptr<FrameCache::Slot> FrameCache::find_slot(const void* archive,
                                                        std::size_t frame) const {
  const auto found = std::find_if(slots_.begin(), slots_.end(), [&](const auto& slot) {
    return slot->archive == archive && slot->frame == frame;
  });
  return found == slots_.end() ? nullptr : *found;
}

// Instead of the one that was not used for the longest time; who reads that one keeps it.
std::shared_ptr<FrameCache::Slot> FrameCache::add_slot(const void* archive, std::size_t frame) {
  if (slots_.size() >= capacity_ && !slots_.empty()) {
    slots_.erase(std::min_element(slots_.begin(), slots_.end(), [](const auto& a, const auto& b) {
      return a->last_use < b->last_use;
    }));
  }
  auto slot = std::make_shared<Slot>();
  slot->archive = archive;
  slot->frame = frame;
  slot->last_use = ++clock_;
  slots_.push_back(slot);
  return slot;
}

}  // namespace barman::stored
