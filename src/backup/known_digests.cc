#include "backup/known_digests.h"

#include <algorithm>
#include <tuple>

#include "base/error.h"
#include "base/hex.h"

namespace barman::backup {
namespace {

std::int64_t nanoseconds_of(const timespec& time) {
  constexpr std::int64_t kPerSecond = 1'000'000'000;
  return static_cast<std::int64_t>(time.tv_sec) * kPerSecond + time.tv_nsec;
}

}  // namespace

KnownDigests::Record KnownDigests::record_of(const struct stat& status) {
  return {.device = status.st_dev,
          .inode = status.st_ino,
          .size_bytes = status.st_size,
          .modified_ns = nanoseconds_of(status.st_mtim),
          .changed_ns = nanoseconds_of(status.st_ctim),
          .digest = {}};
}

void KnownDigests::add(const struct stat& status, std::string_view sha256) {
  Record record = record_of(status);
  const std::string bytes = bytes_of_hex(sha256);
  if (bytes.size() != record.digest.size()) {
    throw Error(ErrorKind::internal, "a SHA-256 has another length");
  }
  std::copy(bytes.begin(), bytes.end(), record.digest.begin());
  const std::lock_guard lock(mutex_);
  records_.push_back(record);
}

void KnownDigests::seal() {
  std::sort(records_.begin(), records_.end(), [](const Record& a, const Record& b) {
    return std::tie(a.inode, a.device) < std::tie(b.inode, b.device);
  });
}

std::optional<std::string> KnownDigests::find(const struct stat& status) const {
  const Record wanted = record_of(status);
  auto record = std::lower_bound(records_.begin(), records_.end(), wanted,
                                 [](const Record& a, const Record& b) {
                                   return std::tie(a.inode, a.device) < std::tie(b.inode, b.device);
                                 });
  // Several, when it was read several times.
  for (;
       record != records_.end() && record->inode == wanted.inode && record->device == wanted.device;
       ++record) {
    if (record->size_bytes == wanted.size_bytes && record->modified_ns == wanted.modified_ns &&
        record->changed_ns == wanted.changed_ns) {
      return hex_of(std::string_view(record->digest.data(), record->digest.size()));
    }
  }
  return std::nullopt;
}

}  // namespace barman::backup
