#include "content/frame_cache.h"

#include <algorithm>

namespace barman::content {

std::shared_ptr<const FrameContent> FrameCache::get(const void* archive, std::size_t frame,
                                                    const std::function<FrameContent()>& decode) {
  std::unique_lock lock(mutex_);
  const auto found = std::find_if(slots_.begin(), slots_.end(), [&](const auto& slot) {
    return slot->archive == archive && slot->frame == frame;
  });
  if (found != slots_.end()) {
    const std::shared_ptr<Slot> slot = *found;
    slot->last_use = ++clock_;
    ready_.wait(lock, [&] { return slot->is_ready; });
    if (slot->failure) std::rethrow_exception(slot->failure);
    return {slot, &slot->content};
  }
  const std::shared_ptr<Slot> slot = add_slot(archive, frame);
  lock.unlock();
  try {
    slot->content = decode();
  } catch (...) {  // Also for those who wait for this frame.
    slot->failure = std::current_exception();
  }
  lock.lock();
  slot->is_ready = true;
  ready_.notify_all();
  if (slot->failure) {
    std::erase(slots_, slot);
    std::rethrow_exception(slot->failure);
  }
  return {slot, &slot->content};
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

}  // namespace barman::content
