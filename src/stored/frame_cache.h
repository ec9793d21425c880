// Frames of archives in decompressed form, shared by the threads that read files of a backup: small
// files of one frame cost one decompression. Memory: `capacity` frames, and those that readers
// hold.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "base/fd.h"

namespace barman::stored {

struct FrameContent {
  std::unique_ptr<std::byte[]> bytes;
  std::size_t size_bytes = 0;
  Bytes view() const { return {bytes.get(), size_bytes}; }
};

class FrameCache {
 public:
  // As many frames as the processors of this host need, at most 18.
  FrameCache();
  explicit FrameCache(std::size_t capacity) : capacity_(capacity) {}

  // The frame of this archive, made by `decode` unless it is there. Who asks while another thread
  // decodes it waits for that thread. Throws what decode throws; the next one tries again, also one
  // that has waited: an exception belongs to one thread (base/error.h).
  std::shared_ptr<const FrameContent> get(const void* archive, std::size_t frame,
                                          const std::function<FrameContent()>& decode);

 private:
  struct Slot {
    const void* archive = nullptr;
    std::size_t frame = 0;
    std::uint64_t last_use = 0;
    bool is_ready = false;
    bool has_failed = false;
    FrameContent content;
  };
  std::shared_ptr<Slot> find_slot(const void* archive, std::size_t frame) const;
  std::shared_ptr<Slot> add_slot(const void* archive, std::size_t frame);

  const std::size_t capacity_;
  std::mutex mutex_;
  std::condition_variable ready_;
  std::uint64_t clock_ = 0;
  std::vector<std::shared_ptr<Slot>> slots_;
};

}  // namespace barman::stored
