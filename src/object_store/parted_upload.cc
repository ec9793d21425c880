#include "object_store/parted_upload.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"

namespace barman::object_store {
namespace {

// A buffer grows by itself up to here: most objects are small.
constexpr std::size_t kSmallBuffer = std::size_t{256} << 10;

}  // namespace

PartedUpload::PartedUpload(std::shared_ptr<StoreClient> client, std::string key,
                           const UploadOptions& options)
    : client_(std::move(client)), key_(std::move(key)), if_present_(options.if_present) {}

bool PartedUpload::end_parts() {
  sender_.reset();
  return is_finished_;
}

void PartedUpload::write(Bytes data) {
  while (!data.empty()) {
    const auto size = static_cast<std::size_t>(part_size(part_count_ + 1));
    // A full part waits for one byte more: an object of just one part goes up in one request.
    if (size > 0 && buffer_.size() >= size) {
      submit_part();
      continue;
    }
    if (size == 0) {
      throw Error(ErrorKind::remote,
                  fmt::format("\"{}\" becomes larger than an object of this provider can be",
                              client_->url().text(key_)),
                  "Let archives be split into smaller ones.");
    }
    const std::size_t taken = std::min(size - buffer_.size(), data.size());
    if (buffer_.size() + taken > kSmallBuffer) buffer_.reserve(size);
    const Bytes piece = data.first(taken);
    buffer_.insert(buffer_.end(), piece.begin(), piece.end());
    data = data.subspan(taken);
    size_bytes_ += taken;
  }
}

void PartedUpload::submit_part() {
  if (sender_ == nullptr) {
    begin_parts();
    sender_ = std::make_unique<PartSender>(
        client_->options().jobs,
        [this](unsigned number, Bytes content) { send_part(number, content); });
  }
  ++part_count_;
  sender_->submit(part_count_, std::exchange(buffer_, sender_->take_buffer()));
}

void PartedUpload::finish() {
  if (part_count_ == 0) {
    put_whole(buffer_);
  } else {
    if (!buffer_.empty()) submit_part();
    sender_->wait();
    complete();
  }
  is_finished_ = true;
}

void PartedUpload::throw_taken() const {
  throw Error(ErrorKind::conflict, fmt::format("\"{}\" exists already", client_->url().text(key_)));
}

}  // namespace barman::object_store
