#include "object_store/s3_upload.h"

#include <algorithm>
#include <array>
#include <exception>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "base/unexpected.h"
#include "object_store/range_file.h"
#include "object_store/wire_text.h"

namespace barman::object_store {
namespace {

constexpr std::uint64_t kMebibyte = std::uint64_t{1} << 20;
constexpr std::uint64_t kSmallestPart = 5 * kMebibyte;
constexpr std::uint64_t kLargestPart = 5 * 1024 * kMebibyte;
constexpr unsigned kMaxParts = 10'000;
// Each thousand parts are so much larger than the first; and at least these of 10 MiB.
constexpr unsigned kPartsOfOneSize = 1000;
constexpr std::array<std::uint64_t, 10> kGrowth = {1, 2, 4, 8, 16, 32, 64, 96, 128, 192};
constexpr std::string_view kUploadComponent = "barman.cloud";

std::uint64_t first_part_size(const StoreOptions& options, const UploadOptions& upload) {
  std::uint64_t size = std::max(options.part_size_bytes, kSmallestPart);
  if (upload.expected_size_bytes) {
    // With a tenth of the parts in reserve, where more comes than was expected.
    size = std::max(size, *upload.expected_size_bytes / (kMaxParts / 10 * 9) + 1);
  }
  return std::min(size, kLargestPart);
}

HttpHeaders joined(HttpHeaders headers, const HttpHeaders& more) {
  headers.insert(headers.end(), more.begin(), more.end());
  return headers;
}

std::string value_of(const HttpHeaders& headers, std::string_view name) {
  for (const auto& [key, value] : headers) {
    if (key == name) return value;
  }
  return {};
}

}  // namespace

std::uint64_t s3_part_size(std::uint64_t first_size_bytes, unsigned number) {
  const std::size_t level = (number - 1) / kPartsOfOneSize;
  if (level == 0) return first_size_bytes;
  if (level >= kGrowth.size()) return 0;
  return std::min(std::max(first_size_bytes, kDefaultPartSize) * kGrowth.at(level), kLargestPart);
}

S3Upload::S3Upload(std::shared_ptr<StoreClient> client, std::string key,
                   const UploadOptions& options, const S3Dialect& dialect, HttpHeaders headers,
                   HttpHeaders key_headers)
    : PartedUpload(std::move(client), std::move(key), options,
                   {.look = "HeadObject",
                    .mark_header = dialect.mark_header(),
                    .key_headers = std::move(key_headers)}),
      dialect_(dialect),
      headers_(joined(std::move(headers), {{dialect.mark_header(), mark()}})),
      first_part_size_(first_part_size(this->client().options(), options)) {}

S3Upload::~S3Upload() {
  if (!end_parts() && !upload_id_.empty()) abort();
}

void S3Upload::begin_parts() {
  const HttpAnswer answer = client().send({.operation = "CreateMultipartUpload",
                                           .action = "cannot store",
                                           .method = "POST",
                                           .key = key(),
                                           .query = {{"uploads", ""}},
                                           .headers = joined(headers_, key_headers())});
  upload_id_ = parse_upload_id(answer.body);
}

void S3Upload::send_part(unsigned number, Bytes content) {
  const StoreCall call{.operation = "UploadPart",
                       .action = "cannot store",
                       .method = "PUT",
                       .key = key(),
                       .query = {{"partNumber", std::to_string(number)}, {"uploadId", upload_id_}},
                       .headers = key_headers(),
                       .body = content};
  std::string etag = client().send(call).header("etag");
  if (etag.empty()) {
    throw Error(ErrorKind::corrupt,
                fmt::format("cannot store \"{}\": the provider confirms part {} without an ETag",
                            client().url().text(key()), number));
  }
  const std::lock_guard lock(mutex_);
  parts_.push_back({.number = number, .etag = std::move(etag)});
}

void S3Upload::put_whole(Bytes content) {
  refuse_what_is_there();
  StoreCall call{.operation = "PutObject",
                 .action = "cannot store",
                 .method = "PUT",
                 .key = key(),
                 .headers = joined(headers_, key_headers()),
                 .body = content};
  if (content.size() <= kFirstWindow) {
    call.headers.emplace_back(dialect_.digest_header(), hex(md5(content)));
  }
  const HttpHeaders unconditional = call.headers;
  if (refuses()) {
    call.headers.push_back(dialect_.condition);
    call.expected = {412, 501};
  }
  HttpAnswer answer = client().send(call);
  if (answer.status == 412) {
    // Of ours, whose answer was lost?
    if (!is_ours(find_object())) throw_taken();
  } else if (answer.status == 501) {
    // The store knows no conditions.
    if (find_object()) throw_taken();
    call.headers = unconditional;
    call.expected.clear();
    client().send(call);
  }
}

StoreCall S3Upload::completion_call(std::string_view body) const {
  StoreCall call{.operation = "CompleteMultipartUpload",
                 .action = "cannot store",
                 .method = "POST",
                 .key = key(),
                 .query = {{"uploadId", upload_id_}},
                 .body = as_bytes(body),
                 .expected = {404}};
  if (refuses() && dialect_.has_conditional_completion) {
    call.headers.push_back(dialect_.condition);
    call.expected = {404, 412, 501};
  }
  return call;
}

void S3Upload::complete() {
  refuse_what_is_there();
  std::ranges::sort(parts_, {}, &UploadedPart::number);
  const std::string body = completion_request(parts_);
  StoreCall call = completion_call(body);
  HttpAnswer answer = client().send(call);
  if (answer.status == 501) {
    call.headers.clear();
    call.expected = {404};
    answer = client().send(call);
  }
  if (answer.status == 404 || answer.status == 412) {
    // The upload is gone when an earlier attempt has completed it and its answer was lost.
    if (!is_ours(find_object())) {
      if (answer.status == 412) throw_taken();
      client().fail(call, answer);
    }
  }
  upload_id_.clear();
  if (const auto found = check_size()) require_lock(*found);
}

// Some stores (radosgw 16) take the lock of an upload in parts, and forget it.
void S3Upload::require_lock(const HttpAnswer& found) {
  const std::string mode = value_of(headers_, kLockModeHeader);
  if (mode.empty() || !found.header(std::string(kLockModeHeader)).empty()) return;
  const std::string body = fmt::format(
      "<Retention xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Mode>{}</Mode>"
      "<RetainUntilDate>{}</RetainUntilDate></Retention>",
      mode, value_of(headers_, kLockEndHeader));
  client().send({.operation = "PutObjectRetention",
                 .action = "cannot lock",
                 .method = "PUT",
                 .key = key(),
                 .query = {{"retention", ""}},
                 .body = as_bytes(body)});
}

// Amazon and Google keep the condition of a request; others may take no notice of it.
void S3Upload::refuse_what_is_there() {
  const bool may_be_ignored = dialect_.may_ignore_conditions || !upload_id_.empty();
  if (refuses() && may_be_ignored && find_object()) throw_taken();
}

void S3Upload::abort() noexcept {
  // Nobody above can do anything about a failure: the destructor is on its way up with one already.
  try {
    client().send({.operation = "AbortMultipartUpload",
                   .action = "cannot abort the upload of",
                   .method = "DELETE",
                   .key = key(),
                   .query = {{"uploadId", upload_id_}},
                   .expected = {404},
                   .on_interrupt = HttpRequest::OnInterrupt::go_on});
  } catch (const std::exception& error) {
    log::warning(kUploadComponent, "unfinished upload {} is left behind: {}", upload_id_,
                 as_error(error).describe());
  }
}

}  // namespace barman::object_store
