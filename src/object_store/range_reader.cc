#include "object_store/range_reader.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/error.h"
#include "base/text.h"
#include "object_store/range_file.h"
#include "object_store/wire_text.h"
#include "storage/withheld_object.h"

namespace barman::object_store {
namespace {

// A transfer that was cut counts as a failed attempt unless so much of it has arrived.
constexpr std::size_t kProgress = std::size_t{64} << 10;

struct ContentRange {
  std::uint64_t begin = 0;
  std::uint64_t size_bytes = 0;  // of the whole object
};

// "bytes 0-9/10"
std::optional<ContentRange> parse_content_range(std::string_view text) {
  constexpr std::string_view kUnit = "bytes ";
  const std::size_t slash = text.find('/');
  if (!text.starts_with(kUnit) || slash == std::string_view::npos) return std::nullopt;
  const std::string_view range = text.substr(kUnit.size(), slash - kUnit.size());
  const auto size = parse_integer(text.substr(slash + 1));
  const auto begin = parse_integer(range.substr(0, range.find('-')));
  if (!size || !begin || *size < 0 || *begin < 0) return std::nullopt;
  return ContentRange{.begin = static_cast<std::uint64_t>(*begin),
                      .size_bytes = static_cast<std::uint64_t>(*size)};
}

[[noreturn]] void throw_no_ranges(const StoreClient& client, const std::string& key) {
  throw Error(ErrorKind::remote,
              fmt::format("cannot read \"{}\": the provider does not answer with the range that it "
                          "was asked for",
                          client.url().text(key)));
}

struct ObjectRefusal {
  int http_status;
  std::string_view code;
};

// Answers about one object, which will not be others the next time. Codes that are about the caller
// (ExpiredToken, SignatureDoesNotMatch, RequestTimeTooSkewed) are not among them.
constexpr std::array kObjectRefusals = std::to_array<ObjectRefusal>({
    // S3: the key of the customer is missing or another one.
    {400, "InvalidRequest"},
    {400, "InvalidArgument"},
    {403, "AccessDenied"},
    {403, "InvalidObjectState"},
    {400, "KMS.DisabledException"},
    {400, "KMS.NotFoundException"},
    {400, "KMS.KMSInvalidStateException"},
    // Google
    {400, "ResourceIsEncryptedWithCustomerEncryptionKey"},
    {400, "resourceIsEncryptedWithCustomerEncryptionKey"},
    // Azure
    {409, "BlobUsesCustomerSpecifiedEncryption"},
    {409, "BlobArchived"},
});

bool is_about_the_object(const StoreError::Answer& answer) {
  return std::ranges::any_of(kObjectRefusals, [&](const ObjectRefusal& refusal) {
    return refusal.http_status == answer.http_status && refusal.code == answer.code;
  });
}

HttpAnswer ask_for_object(StoreClient& client, const StoreCall& call) {
  try {
    return client.send(call);
  } catch (const StoreError& error) {  // Callers look at one object, or at many of them.
    if (!is_about_the_object(error.answer())) throw;
    throw storage::WithheldObject(error.kind(), error.message(), error.hint());
  }
}

StoreCall range_of(StoreCall call, std::uint64_t offset, MutableBytes buffer) {
  call.headers.emplace_back("Range",
                            fmt::format("bytes={}-{}", offset, offset + buffer.size() - 1));
  call.into = buffer;
  return call;
}

// One version of an object, known by its ETag.
class StoredRange final : public RangeSource {
 public:
  StoredRange(std::shared_ptr<StoreClient> client, StoreCall call, const std::string& etag)
      : client_(std::move(client)), call_(std::move(call)) {
    if (!etag.empty()) call_.headers.emplace_back("If-Match", etag);
    call_.expected = {404, 412, 416};
  }

  void read(std::uint64_t offset, MutableBytes buffer) override {
    std::size_t done = 0;
    unsigned failures = 0;
    while (done < buffer.size()) {
      const StoreCall call = range_of(call_, offset + done, buffer.subspan(done));
      const HttpAnswer answer = client_->send(call);
      if (answer.status >= 400) throw_replaced();
      const auto range = parse_content_range(answer.header("content-range"));
      if (answer.status != 206 || !range || range->begin != offset + done) {
        throw_no_ranges(*client_, call.key);
      }
      done += static_cast<std::size_t>(answer.body_size_bytes);
      if (done == buffer.size()) return;
      failures = answer.body_size_bytes >= kProgress ? 1 : failures + 1;
      if (failures >= client_->max_attempts()) fail_cut(call, answer);
      client_->pause(failures, answer, call.on_interrupt);
    }
  }

 private:
  [[noreturn]] void throw_replaced() const {
    throw Error(ErrorKind::io,
                fmt::format("\"{}\" was replaced or removed while it was read",
                            client_->url().text(call_.key)),
                "Try again.");
  }
  [[noreturn]] void fail_cut(const StoreCall& call, HttpAnswer answer) const {
    // A whole answer that is too short is as bad as one that was cut.
    if (answer.is_whole()) {
      answer.failure = HttpFailure::cut;
      answer.failure_text = "answers are shorter than what was asked for";
    }
    client_->fail(call, answer);
  }

  const std::shared_ptr<StoreClient> client_;
  StoreCall call_;
};

}  // namespace

std::unique_ptr<pipeline::ContentFile> open_in_ranges(std::shared_ptr<StoreClient> client,
                                                      StoreCall call,
                                                      const std::string& digest_header) {
  std::vector<std::byte> beginning(kFirstWindow);
  StoreCall first = range_of(call, 0, beginning);
  first.expected = {416};
  const HttpAnswer answer = ask_for_object(*client, first);
  std::uint64_t size_bytes = 0;
  if (answer.status == 416) {
    // The one object of which no range can be had is the empty one.
    beginning.clear();
  } else if (const auto range = parse_content_range(answer.header("content-range"))) {
    if (range->begin != 0) throw_no_ranges(*client, call.key);
    size_bytes = range->size_bytes;
    // What was cut off is read when it is needed.
    beginning.resize(static_cast<std::size_t>(answer.body_size_bytes));
  } else {
    if (!answer.is_whole()) throw_no_ranges(*client, call.key);
    size_bytes = answer.body_size_bytes;
    beginning.resize(static_cast<std::size_t>(size_bytes));
  }
  if (beginning.size() > size_bytes) throw_no_ranges(*client, call.key);
  const std::string digest = answer.header(digest_header);
  if (!digest.empty() && beginning.size() == size_bytes && hex(md5(beginning)) != digest) {
    throw Error(ErrorKind::corrupt,
                fmt::format("\"{}\" does not arrive as it was stored: its MD5 is another one",
                            client->url().text(call.key)),
                "Try again; when it happens again, the object is damaged.");
  }
  return std::make_unique<RangeFile>(
      std::make_shared<StoredRange>(std::move(client), std::move(call), answer.header("etag")),
      size_bytes, std::move(beginning));
}

}  // namespace barman::object_store
