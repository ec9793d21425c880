#include "object_store/range_file.h"

#include <algorithm>
#include <utility>

#include "base/worker_pool.h"

namespace barman::object_store {
namespace {

constexpr std::size_t kLargestWindow = std::size_t{4} << 20;
constexpr std::size_t kSmallestRead = std::size_t{64} << 10;

}  // namespace

RangeFile::RangeFile(std::shared_ptr<RangeSource> source, std::uint64_t size_bytes,
                     std::vector<std::byte> beginning)
    : source_(std::move(source)),
      size_bytes_(size_bytes),
      window_{.offset = 0, .content = std::move(beginning)} {}

RangeFile::~RangeFile() = default;

std::unique_ptr<pipeline::ContentFile> RangeFile::another() const {
  return std::make_unique<RangeFile>(source_, size_bytes_, std::vector<std::byte>());
}

std::size_t RangeFile::read_at(std::uint64_t offset, MutableBytes buffer) {
  if (offset >= size_bytes_) return 0;
  const auto wanted =
      static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), size_bytes_ - offset));
  std::size_t done = 0;
  while (done < wanted) {
    const std::uint64_t position = offset + done;
    if (!window_.has(position)) {
      const bool is_sequential = position == window_.end();
      if (wanted - done >= kLargestWindow && !(is_sequential && ahead_thread_.joinable())) {
        source_->read(position, buffer.subspan(done, wanted - done));
        // The next read goes on here.
        window_ = {.offset = offset + wanted, .content = {}};
        return wanted;
      }
      fetch_window(position, wanted - done);
    }
    const auto skipped = static_cast<std::size_t>(position - window_.offset);
    const std::size_t size = std::min(window_.content.size() - skipped, wanted - done);
    std::copy_n(window_.content.begin() + static_cast<std::ptrdiff_t>(skipped), size,
                buffer.begin() + static_cast<std::ptrdiff_t>(done));
    done += size;
  }
  return done;
}

void RangeFile::fetch_window(std::uint64_t offset, std::size_t wanted) {
  const bool is_sequential = offset == window_.end() && offset > 0;
  window_size_ =
      is_sequential ? std::min(window_size_ * 2, kLargestWindow) : std::max(wanted, kSmallestRead);
  if (take_ahead(offset)) {
    begin_ahead();
    return;
  }
  const auto size = static_cast<std::size_t>(
      std::min<std::uint64_t>(std::max(window_size_, wanted), size_bytes_ - offset));
  Window fetched{.offset = offset, .content = std::vector<std::byte>(size)};
  source_->read(offset, fetched.content);
  window_ = std::move(fetched);
  if (is_sequential) begin_ahead();
}

void RangeFile::begin_ahead() {
  const std::uint64_t offset = window_.end();
  if (offset >= size_bytes_) return;
  const auto size =
      static_cast<std::size_t>(std::min<std::uint64_t>(window_size_, size_bytes_ - offset));
  ahead_ = {.offset = offset, .content = std::vector<std::byte>(size)};
  ahead_thread_ = start_thread([this] {
    // The boundary of a worker: who takes the window is told.
    try {
      source_->read(ahead_.offset, ahead_.content);
    } catch (...) {
      ahead_failure_ = std::current_exception();
    }
  });
}

bool RangeFile::take_ahead(std::uint64_t offset) {
  if (!ahead_thread_.joinable()) return false;
  ahead_thread_.join();
  const std::exception_ptr failure = std::exchange(ahead_failure_, nullptr);
  if (ahead_.offset != offset) return false;
  if (failure != nullptr) std::rethrow_exception(failure);
  window_ = std::move(ahead_);
  return true;
}

}  // namespace barman::object_store
