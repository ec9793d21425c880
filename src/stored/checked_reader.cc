#include "stored/checked_reader.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/error.h"

namespace barman::stored {
namespace {

constexpr std::size_t kPassOverSize = std::size_t{256} << 10;

[[noreturn]] void throw_damaged(const std::string& reason) {
  throw Error(ErrorKind::corrupt, reason,
              "Choose another backup, or put an intact copy of the file in place.");
}

}  // namespace

CheckedReader::CheckedReader(std::unique_ptr<ContentFile> file, std::string name,
                             std::optional<ExpectedFile> expected)
    : file_(std::move(file)),
      name_(std::move(name)),
      expected_(std::move(expected)),
      digest_(expected_ ? expected_->algorithm : DigestAlgorithm::none) {}

std::size_t CheckedReader::read_at(std::uint64_t offset, MutableBytes buffer) {
  if (offset < position_) is_checked_ = false;
  if (!is_checked_) return file_->read_at(offset, buffer);
  pass_over(offset);
  if (position_ < offset) return 0;
  const std::size_t size = file_->read_at(offset, buffer);
  digest_.update(buffer.first(size));
  position_ += size;
  return size;
}

void CheckedReader::read_exactly(std::uint64_t offset, MutableBytes buffer) {
  if (read_at(offset, buffer) == buffer.size()) return;
  throw_damaged(fmt::format("\"{}\" is shorter than its header says", name_));
}

void CheckedReader::pass_over(std::uint64_t until) {
  if (position_ >= until) return;
  thread_local std::vector<std::byte> buffer(kPassOverSize);
  while (position_ < until) {
    const std::size_t wanted =
        static_cast<std::size_t>(std::min<std::uint64_t>(until - position_, buffer.size()));
    const std::size_t size = file_->read_at(position_, MutableBytes(buffer).first(wanted));
    digest_.update(Bytes(buffer).first(size));
    position_ += size;
    if (size < wanted) return;
  }
}

void CheckedReader::finish() {
  if (!is_checked_ || !expected_) return;
  pass_over(UINT64_MAX);
  if (position_ != expected_->size_bytes) {
    throw_damaged(
        fmt::format("\"{}\" has {} bytes instead of {}", name_, position_, expected_->size_bytes));
  }
  if (expected_->algorithm == DigestAlgorithm::none) return;
  const std::string found = digest_.finish();
  if (found == expected_->checksum) return;
  throw_damaged(fmt::format("\"{}\" is damaged: its checksum is {}, backup_manifest says {}", name_,
                            found, expected_->checksum));
}

}  // namespace barman::stored
