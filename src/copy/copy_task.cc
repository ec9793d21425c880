#include "copy/copy_task.h"

#include <utility>

#include "base/digest.h"

namespace barman::copy {
namespace {

constexpr mode_t kCopiedFileMode = 0600;

}  // namespace

CopyTask make_copy_task(const TaskOrigin& origin, const stored::Entry& entry,
                        const stored::ContentOpener& open, std::filesystem::path destination) {
  CopyTask task{
      .source = origin.tree.describe(entry.path),
      .open = open,
      .destination = std::move(destination),
      .mode = entry.mode | kCopiedFileMode,
      .size_bytes = entry.size_bytes,
      .modified = timespec{.tv_sec = entry.mtime_seconds, .tv_nsec = entry.mtime_nanoseconds},
      .is_at_hand = origin.tree.has_random_access() && !origin.tree.is_far()};
  const std::string listed = origin.manifest_prefix + entry.path;
  if (entry.is_derived) {
    task.on_checksum = [combined = &origin.combined, listed](std::uint64_t size_bytes,
                                                             std::uint32_t crc32c) {
      combined->add(listed, size_bytes, crc32c);
    };
  } else if (origin.manifest != nullptr) {
    task.expected = origin.manifest->find(listed);
  }
  // What no manifest lists, an index may.
  if (!entry.is_derived && !task.expected && entry.content_crc32c) {
    task.expected = stored::ExpectedFile{.size_bytes = entry.size_bytes,
                                         .algorithm = DigestAlgorithm::crc32c,
                                         .checksum = crc32c_text(*entry.content_crc32c)};
    task.told_by = "the index of its archive";
  }
  return task;
}

}  // namespace barman::copy
