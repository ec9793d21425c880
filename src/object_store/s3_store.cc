#include "object_store/s3_store.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "object_store/range_reader.h"
#include "object_store/s3_upload.h"
#include "object_store/wire_text.h"

namespace barman::object_store {
namespace {

// Of one DeleteObjects.
constexpr std::size_t kMaxDeletions = 1000;
constexpr std::string_view kStoreComponent = "barman.cloud";

std::string tags_text(const ObjectTags& tags) {
  std::vector<std::string> parts;
  for (const auto& [key, value] : tags) {
    parts.push_back(percent_encoded(key) + "=" + percent_encoded(value));
  }
  // A blank as "%20": not every store takes "+" for one.
  return join(parts, "&");
}

void require_options(const StoreOptions& options) {
  constexpr std::size_t kKeySize = 32;
  if (options.sse_customer_key.empty()) return;
  if (options.sse_customer_key.size() != kKeySize) {
    throw Error(ErrorKind::config, "the SSE-C key has to be 32 bytes long");
  }
  if (!options.encryption.empty() || !options.sse_kms_key_id.empty()) {
    throw Error(ErrorKind::config, "SSE-C cannot be used together with other encryption");
  }
}

// The key would pass the network in clear text.
void require_tls_for_key(const StoreOptions& options, const S3Endpoint& endpoint) {
  if (options.sse_customer_key.empty() || endpoint.is_encrypted()) return;
  const std::string host = endpoint.host.substr(0, endpoint.host.find(':'));
  if (host == "127.0.0.1" || host == "localhost" || host.ends_with(".localhost")) return;
  throw Error(ErrorKind::config,
              fmt::format("an SSE-C key is not sent to \"{}\" without TLS", host),
              "Use an endpoint that begins with https://.");
}

}  // namespace

S3Store::S3Store(const StoreUrl& url, const StoreOptions& options)
    : S3Store((require_options(options), std::make_shared<S3Client>(url, options))) {}

S3Store::S3Store(std::shared_ptr<S3Client> client)
    : BucketStore(client), client_(std::move(client)) {
  require_tls_for_key(client_->options(), client_->endpoint());
}

HttpHeaders S3Store::customer_key_headers() const {
  const std::string& key = client_->options().sse_customer_key;
  if (key.empty()) return {};
  return {{"x-amz-server-side-encryption-customer-algorithm", "AES256"},
          {"x-amz-server-side-encryption-customer-key", base64(key)},
          {"x-amz-server-side-encryption-customer-key-MD5", base64(md5(as_bytes(key)))}};
}

HttpHeaders S3Store::object_headers(const UploadOptions& upload) const {
  const StoreOptions& options = client_->options();
  HttpHeaders headers;
  if (!options.encryption.empty()) {
    headers.emplace_back("x-amz-server-side-encryption", options.encryption);
  }
  if (!options.sse_kms_key_id.empty()) {
    headers.emplace_back("x-amz-server-side-encryption-aws-kms-key-id", options.sse_kms_key_id);
  }
  const ObjectTags& tags = upload.tags ? *upload.tags : options.tags;
  if (!tags.empty()) headers.emplace_back("x-amz-tagging", tags_text(tags));
  if (!options.storage_class.empty()) {
    headers.emplace_back("x-amz-storage-class", options.storage_class);
  }
  if (!options.object_lock_mode.empty()) {
    constexpr std::int64_t kDayMicroseconds = std::int64_t{86'400} * 1'000'000;
    Timestamp until{.microseconds = now_local().seconds() * 1'000'000};
    until.microseconds += options.object_lock_days * kDayMicroseconds;
    headers.emplace_back("x-amz-object-lock-mode", options.object_lock_mode);
    headers.emplace_back("x-amz-object-lock-retain-until-date",
                         replace_all(format_iso(until, 'T'), "+00:00", "Z"));
  }
  return headers;
}

std::unique_ptr<pipeline::Sink> S3Store::upload(const std::string& key,
                                                const UploadOptions& options) {
  require_key(key);
  const S3Dialect dialect{.may_ignore_conditions = client_->endpoint().is_custom};
  return std::make_unique<S3Upload>(client_, key, options, dialect, object_headers(options),
                                    customer_key_headers());
}

std::unique_ptr<pipeline::ContentFile> S3Store::open(const std::string& key) const {
  require_key(key);
  auto file = open_in_ranges(client_,
                             {.operation = "GetObject",
                              .action = "cannot read",
                              .key = key,
                              .headers = customer_key_headers()},
                             S3Dialect().digest_header());
  has_seen_bucket();
  return file;
}

HttpAnswer S3Store::ask_for(const std::string& key) const {
  return client_->send({.operation = "HeadObject",
                        .action = "cannot look at",
                        .method = "HEAD",
                        .key = key,
                        .headers = customer_key_headers(),
                        .expected = {404}});
}

bool S3Store::is_bucket_missing() const {
  // Who may not ask for the bucket may still use it.
  const StoreCall call{
      .operation = "HeadBucket", .action = "cannot use", .method = "HEAD", .expected = {403, 404}};
  return client_->send(call).status == 404;
}

ListedPage S3Store::list_page(const std::string& full_prefix, std::string_view delimiter,
                              const std::string& token) const {
  QueryParameters query = {{"list-type", "2"}, {"encoding-type", "url"}, {"prefix", full_prefix}};
  if (!delimiter.empty()) query.emplace_back("delimiter", delimiter);
  if (!token.empty()) query.emplace_back("continuation-token", token);
  const HttpAnswer answer = client_->send(
      {.operation = "ListObjectsV2", .action = "cannot list", .query = std::move(query)});
  return parse_listed_page(answer.body);
}

std::optional<ObjectLock> S3Store::find_lock(const std::string& key) const {
  const auto answer = find_answer(key);
  if (!answer) throw Error(ErrorKind::not_found, describe(key) + " does not exist");
  ObjectLock lock{.has_legal_hold =
                      to_upper(answer->header("x-amz-object-lock-legal-hold")) == "ON"};
  const std::string until = answer->header("x-amz-object-lock-retain-until-date");
  if (!until.empty()) {
    const auto time = parse_timestamp(until);
    if (!time) {
      throw Error(
          ErrorKind::corrupt,
          fmt::format("the provider says that {} is locked until \"{}\"", describe(key), until));
    }
    lock.retain_until = time->time;
  }
  if (!lock.has_legal_hold && !lock.retain_until) return std::nullopt;
  return lock;
}

void S3Store::remove(std::span<const std::string> keys) {
  for (const std::string& key : keys) require_key(key);
  std::string first_failure;
  while (!keys.empty()) {
    const auto batch = keys.first(std::min(keys.size(), kMaxDeletions));
    keys = keys.subspan(batch.size());
    remove_batch(batch, first_failure);
  }
  if (!first_failure.empty()) throw Error(ErrorKind::remote, first_failure);
}

void S3Store::remove_batch(std::span<const std::string> keys, std::string& first_failure) {
  if (keys.size() == 1) {
    remove_singly(keys);
    return;
  }
  std::vector<std::string> full_keys;
  for (const std::string& key : keys) full_keys.push_back(client_->full_key(key));
  const std::string body = deletion_request(full_keys);
  const StoreCall call{.operation = "DeleteObjects",
                       .action = "cannot delete from",
                       .method = "POST",
                       .query = {{"delete", ""}},
                       .body = as_bytes(body),
                       .expected = {400, 501}};
  const HttpAnswer answer = client_->send(call);
  if (answer.status >= 400) {
    const auto error = find_aws_error(answer.body);
    const bool is_unknown =
        answer.status == 501 ||
        (error && (error->code == "MissingContentMD5" || error->code == "NotImplemented" ||
                   to_lower(error->message).find("content-md5") != std::string::npos));
    if (!is_unknown) client_->fail(call, answer);
    log::debug(kStoreComponent, "{} deletes objects one by one", teller());
    remove_singly(keys);
    return;
  }
  for (const FailedDeletion& failed : parse_failed_deletions(answer.body)) {
    // Absent is what it shall be.
    if (failed.code == "NoSuchKey") continue;
    std::string text =
        fmt::format("Bulk deletion of object {} failed with error code: \"{}\", message: \"{}\"",
                    failed.key, failed.code, failed.message);
    log::error(kStoreComponent, "{}", text);
    if (first_failure.empty()) first_failure = std::move(text);
  }
}

void S3Store::remove_singly(std::span<const std::string> keys) {
  for (const std::string& key : keys) {
    const StoreCall call{.operation = "DeleteObject",
                         .action = "cannot delete",
                         .method = "DELETE",
                         .key = key,
                         .expected = {404}};
    const HttpAnswer answer = client_->send(call);
    if (answer.status != 404) continue;
    const auto error = find_aws_error(answer.body);
    if (error && error->code == "NoSuchBucket") client_->fail(call, answer);
  }
}

void S3Store::check_bucket() {
  const std::string& bucket = url().bucket;
  // The one place where the provider's refusal has a text of its own.
  try {
    client_->send({.operation = "HeadBucket", .action = "cannot use", .method = "HEAD"});
  } catch (const StoreError& error) {
    switch (error.answer().http_status) {
      case 404:
        throw StoreError(ErrorKind::not_found, fmt::format("Bucket {} does not exist", bucket),
                         "Create the bucket, or correct its name.", error.answer());
      case 403:
        throw StoreError(ErrorKind::permission,
                         fmt::format("Permission denied when accessing bucket '{}'. Verify that "
                                     "the configured credentials have sufficient permissions: {}",
                                     bucket, error.message()),
                         error.hint(), error.answer());
      case 400:
        throw StoreError(ErrorKind::remote,
                         fmt::format("Bad request when accessing bucket '{}'. This may indicate "
                                     "invalid or misconfigured credentials: {}",
                                     bucket, error.message()),
                         error.hint(), error.answer());
      default:
        throw;
    }
  }
  has_seen_bucket();
}

void S3Store::create_bucket() {
  if (find_arn(url().bucket)) {
    throw Error(
        ErrorKind::config,
        fmt::format("\"{}\" is an access point, which cannot be created here", url().bucket),
        "Create it, and its bucket, with the tools of AWS.");
  }
  const std::string region = client_->endpoint().scope.region;
  std::string body;
  if (region != "us-east-1") {
    body = fmt::format(
        "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
        "<LocationConstraint>{}</LocationConstraint></CreateBucketConfiguration>",
        region);
  }
  const StoreCall call{.operation = "CreateBucket",
                       .action = "cannot create",
                       .method = "PUT",
                       .headers = {{"x-amz-acl", "private"}},
                       .body = as_bytes(body),
                       .expected = {409}};
  const HttpAnswer answer = client_->send(call);
  if (answer.status == 409) {
    const auto error = find_aws_error(answer.body);
    if (!error || error->code != "BucketAlreadyOwnedByYou") client_->fail(call, answer);
  }
  has_seen_bucket();
}

std::vector<UnfinishedUpload> S3Store::list_unfinished(std::string_view prefix) const {
  return list_multipart_uploads(prefix);
}

void S3Store::abort_unfinished(const UnfinishedUpload& upload) { abort_multipart_upload(upload); }

}  // namespace barman::object_store
