#include "object_store/s3_store.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
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
  if (options.lock && options.lock->days < 0) {
    throw Error(ErrorKind::config, "objects cannot be locked until a day that is over");
  }
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

HttpHeaders customer_key_headers(const std::string& key) {
  if (key.empty()) return {};
  return {{"x-amz-server-side-encryption-customer-algorithm", "AES256"},
          {"x-amz-server-side-encryption-customer-key", base64(key)},
          {"x-amz-server-side-encryption-customer-key-MD5", base64(md5(as_bytes(key)))}};
}

S3Dialect s3_dialect(const S3Endpoint& endpoint) {
  return {.may_ignore_conditions = endpoint.is_custom};
}

void append_lock(HttpHeaders& headers, const ObjectLockRule& rule, const UploadOptions& upload) {
  if (!upload.retain_until && rule.days == 0) {
    throw Error(ErrorKind::config, "it is not set for how long objects are to be locked",
                "Set the days, or the end of the retention.");
  }
  constexpr std::int64_t kDayMicroseconds = std::int64_t{86'400} * 1'000'000;
  Timestamp until{.microseconds = now_local().seconds() * 1'000'000 + rule.days * kDayMicroseconds};
  // Without the fraction of a second, which not every store reads.
  if (upload.retain_until) until.microseconds = upload.retain_until->seconds() * 1'000'000;
  headers.emplace_back(kLockModeHeader, lock_mode_word(rule.mode));
  headers.emplace_back(kLockEndHeader, replace_all(format_iso(until, 'T'), "+00:00", "Z"));
}

}  // namespace

S3Store::S3Store(const StoreUrl& url, const StoreOptions& options)
    : S3Store((require_options(options), std::make_shared<S3Client>(url, options))) {}

S3Store::S3Store(std::shared_ptr<S3Client> client)
    : S3DialectStore(client, s3_dialect(client->endpoint()),
                     customer_key_headers(client->options().sse_customer_key)),
      client_(std::move(client)) {
  require_tls_for_key(client_->options(), client_->endpoint());
}

HttpHeaders S3Store::new_object_headers(const UploadOptions& upload) const {
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
  if (options.lock) append_lock(headers, *options.lock, upload);
  return headers;
}

std::unique_ptr<pipeline::Sink> S3Store::upload(const std::string& key,
                                                const UploadOptions& options) {
  require_key(key);
  return std::make_unique<S3Upload>(client_, key, options, dialect(), new_object_headers(options),
                                    object_headers());
}

StoreCall S3Store::probe() const {
  return {.operation = "HeadBucket", .action = "cannot use", .method = "HEAD"};
}

std::optional<ObjectLock> S3Store::find_lock(const std::string& key) const {
  const HttpAnswer answer = require_answer(key);
  ObjectLock lock{.has_legal_hold =
                      to_upper(answer.header("x-amz-object-lock-legal-hold")) == "ON"};
  const std::string until = answer.header("x-amz-object-lock-retain-until-date");
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
  std::vector<ObjectVersion> all;
  if (client_->options().removes_versions) {
    all = versions_of_all(keys);
  } else {
    for (const std::string& key : keys) all.push_back({.key = client_->full_key(key)});
  }
  std::string first_failure;
  std::span<const ObjectVersion> rest = all;
  while (!rest.empty()) {
    const auto batch = rest.first(std::min(rest.size(), kMaxDeletions));
    rest = rest.subspan(batch.size());
    remove_batch(batch, first_failure);
  }
  if (!first_failure.empty()) throw Error(ErrorKind::remote, first_failure);
}

// All of one object, the marks of its deletion among them.
std::vector<ObjectVersion> S3Store::versions_of(const std::string& key) const {
  const std::string full_key = client_->full_key(key);
  std::vector<ObjectVersion> versions;
  VersionsPage page;
  do {
    QueryParameters query = {{"versions", ""}, {"encoding-type", "url"}, {"prefix", full_key}};
    if (page.is_truncated) {
      query.emplace_back("key-marker", page.next_key);
      query.emplace_back("version-id-marker", page.next_version);
    }
    const std::pair last(page.next_key, page.next_version);
    const bool is_first = !page.is_truncated;
    const HttpAnswer answer = client_->send({.operation = "ListObjectVersions",
                                             .action = "cannot list the versions of",
                                             .key = "",
                                             .query = std::move(query)});
    page = parse_versions_page(answer.body);
    if (!is_first && page.is_truncated && last == std::pair(page.next_key, page.next_version)) {
      throw Error(ErrorKind::corrupt, fmt::format("the listing of {} does not go on", teller()));
    }
    for (ObjectVersion& version : page.versions) {
      if (version.key == full_key) versions.push_back(std::move(version));
    }
    // Those of keys that only begin in the same way come behind it.
  } while (page.is_truncated && page.next_key == full_key);
  return versions;
}

std::vector<ObjectVersion> S3Store::versions_of_all(std::span<const std::string> keys) const {
  std::mutex mutex;
  std::vector<ObjectVersion> all;
  for_each_key(keys, [&](const std::string& key) {
    const std::vector<ObjectVersion> versions = versions_of(key);
    const std::lock_guard lock(mutex);
    all.insert(all.end(), versions.begin(), versions.end());
  });
  return all;
}

void S3Store::remove_batch(std::span<const ObjectVersion> batch, std::string& first_failure) {
  if (batch.size() == 1) {
    remove_singly(batch);
    return;
  }
  const std::string body = deletion_request(batch);
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
    remove_singly(batch);
    return;
  }
  for (const FailedDeletion& failed : parse_failed_deletions(answer.body)) {
    // Absent is what it shall be.
    if (failed.code == "NoSuchKey" || failed.code == "NoSuchVersion") continue;
    std::string text =
        fmt::format("Bulk deletion of object {} failed with error code: \"{}\", message: \"{}\"",
                    failed.key, failed.code, failed.message);
    log::error(kStoreComponent, "{}", text);
    if (first_failure.empty()) first_failure = std::move(text);
  }
}

void S3Store::remove_singly(std::span<const ObjectVersion> batch) {
  for (const ObjectVersion& version : batch) {
    StoreCall call{.operation = "DeleteObject",
                   .action = "cannot delete",
                   .method = "DELETE",
                   .key = own_key(version.key).value_or(""),
                   .expected = {404}};
    if (!version.id.empty()) call.query.emplace_back("versionId", version.id);
    const HttpAnswer answer = client_->send(call);
    if (client_->tells_missing_bucket(answer)) client_->fail(call, answer);
  }
}

void S3Store::check_bucket() {
  const std::string& bucket = url().bucket;
  // The one place where the provider's refusal has a text of its own.
  try {
    client_->send(probe());
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
  StoreCall call{.operation = "CreateBucket",
                 .action = "cannot create",
                 .headers = {{"x-amz-acl", "private"}},
                 .body = as_bytes(body)};
  // It cannot be turned on later.
  if (client_->options().lock)
    call.headers.emplace_back("x-amz-bucket-object-lock-enabled", "true");
  create_by(std::move(call), "BucketAlreadyOwnedByYou");
}

}  // namespace barman::object_store
