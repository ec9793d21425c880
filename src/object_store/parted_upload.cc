#include "object_store/parted_upload.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/text.h"
#include "object_store/wire_text.h"

namespace barman::object_store {
namespace {

// A buffer grows by itself up to here: most objects are small.
constexpr std::size_t kSmallBuffer = std::size_t{256} << 10;

}  // namespace

PartedUpload::PartedUpload(std::shared_ptr<StoreClient> client, std::string key,
                           const UploadOptions& options, Words words)
    : client_(std::move(client)),
      key_(std::move(key)),
      if_present_(options.if_present),
      words_(std::move(words)),
      mark_(random_hex(16)) {}

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

std::optional<HttpAnswer> PartedUpload::find_object() {
  HttpAnswer answer = client_->send({.operation = words_.look,
                                     .action = "cannot look at",
                                     .method = "HEAD",
                                     .key = key_,
                                     .headers = words_.key_headers,
                                     .expected = {404}});
  if (answer.status == 404) return std::nullopt;
  return answer;
}

bool PartedUpload::is_ours(const std::optional<HttpAnswer>& found) const {
  return found && found->header(words_.mark_header) == mark_;
}

std::optional<HttpAnswer> PartedUpload::check_size() {
  auto found = find_object();
  // Whose object it is now is not ours to judge when somebody else has replaced it already.
  if (found && !is_ours(found)) return std::nullopt;
  const std::int64_t size =
      found ? parse_integer(found->header("content-length")).value_or(-1) : -1;
  if (size >= 0 && static_cast<std::uint64_t>(size) == size_bytes_) return found;
  throw Error(ErrorKind::corrupt,
              fmt::format("cannot store \"{}\": the provider has put together {} bytes of {}",
                          client_->url().text(key_), std::max<std::int64_t>(size, 0), size_bytes_),
              "Try again; when it happens again, tell the provider.");
}

void PartedUpload::throw_taken() const {
  throw Error(ErrorKind::conflict, fmt::format("\"{}\" exists already", client_->url().text(key_)));
}

}  // namespace barman::object_store
