#include "object_store/google_store.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/worker_pool.h"
#include "object_store/aws_answers.h"
#include "object_store/range_reader.h"
#include "object_store/s3_upload.h"

namespace barman::object_store {
namespace {

constexpr std::size_t kParallelGoogleDeletions = 8;

// Completing an upload knows no conditions here.
S3Dialect google_dialect() {
  return {.meta_prefix = "x-goog-meta-",
          .condition = {"x-goog-if-generation-match", "0"},
          .has_conditional_completion = false};
}

}  // namespace

GoogleStore::GoogleStore(const StoreUrl& url, const StoreOptions& options)
    : GoogleStore(std::make_shared<GoogleClient>(url, options)) {}

GoogleStore::GoogleStore(std::shared_ptr<GoogleClient> client)
    : BucketStore(client), client_(std::move(client)) {}

std::unique_ptr<pipeline::Sink> GoogleStore::upload(const std::string& key,
                                                    const UploadOptions& options) {
  require_key(key);
  const S3Dialect dialect = google_dialect();
  HttpHeaders headers;
  // Tags become metadata of the object, as Barman keeps them.
  for (const auto& [name, value] : options.tags ? *options.tags : client_->options().tags) {
    headers.emplace_back(dialect.meta_prefix + name, value);
  }
  const std::string& kms_key = client_->options().kms_key_name;
  if (!kms_key.empty()) headers.emplace_back("x-goog-encryption-kms-key-name", kms_key);
  return std::make_unique<S3Upload>(client_, key, options, dialect, std::move(headers),
                                    HttpHeaders());
}

std::unique_ptr<pipeline::ContentFile> GoogleStore::open(const std::string& key) const {
  require_key(key);
  auto file =
      open_in_ranges(client_, {.operation = "GetObject", .action = "cannot read", .key = key},
                     google_dialect().digest_header());
  has_seen_bucket();
  return file;
}

HttpAnswer GoogleStore::ask_for(const std::string& key) const {
  return client_->send({.operation = "HeadObject",
                        .action = "cannot look at",
                        .method = "HEAD",
                        .key = key,
                        .expected = {404}});
}

bool GoogleStore::is_bucket_missing() const {
  const StoreCall call{.operation = "ListObjects",
                       .action = "cannot list",
                       .query = {{"list-type", "2"}, {"max-keys", "1"}},
                       .expected = {403, 404}};
  return client_->send(call).status == 404;
}

ListedPage GoogleStore::list_page(const std::string& full_prefix, std::string_view delimiter,
                                  const std::string& token) const {
  QueryParameters query = {{"list-type", "2"}, {"encoding-type", "url"}, {"prefix", full_prefix}};
  if (!delimiter.empty()) query.emplace_back("delimiter", delimiter);
  if (!token.empty()) query.emplace_back("continuation-token", token);
  const HttpAnswer answer = client_->send(
      {.operation = "ListObjects", .action = "cannot list", .query = std::move(query)});
  return parse_listed_page(answer.body);
}

void GoogleStore::remove(std::span<const std::string> keys) {
  for (const std::string& key : keys) require_key(key);
  if (keys.size() == 1) {
    remove_one(keys.front());
    return;
  }
  WorkerPool pool(std::min(keys.size(), kParallelGoogleDeletions));
  for (const std::string& key : keys) {
    pool.submit([this, &key] { remove_one(key); });
  }
  pool.wait();
}

void GoogleStore::remove_one(const std::string& key) {
  const StoreCall call{.operation = "DeleteObject",
                       .action = "cannot delete",
                       .method = "DELETE",
                       .key = key,
                       .expected = {404}};
  const HttpAnswer answer = client_->send(call);
  if (answer.status != 404) return;
  const auto error = find_aws_error(answer.body);
  if (error && error->code == "NoSuchBucket") client_->fail(call, answer);
}

// Barman asks for the bucket itself, which a right to its objects does not include.
void GoogleStore::check_bucket() {
  const StoreCall call{
      .operation = "ListObjects",
      .action = "cannot list",
      .query = {{"list-type", "2"}, {"max-keys", "1"}, {"prefix", client_->full_key("")}},
      .expected = {404}};
  const HttpAnswer answer = client_->send(call);
  if (answer.status == 404) {
    throw Error(ErrorKind::not_found, fmt::format("Bucket {} does not exist", url().bucket),
                "Create the bucket, or correct its name.");
  }
  has_seen_bucket();
}

void GoogleStore::create_bucket() {
  StoreCall call{
      .operation = "CreateBucket", .action = "cannot create", .method = "PUT", .expected = {409}};
  if (const std::string project = client_->project(); !project.empty()) {
    call.headers.emplace_back("x-goog-project-id", project);
  }
  const HttpAnswer answer = client_->send(call);
  if (answer.status == 409) {
    const auto error = find_aws_error(answer.body);
    if (!error || error->code != "BucketAlreadyOwnedByYou") client_->fail(call, answer);
  }
  has_seen_bucket();
}

std::vector<UnfinishedUpload> GoogleStore::list_unfinished(std::string_view prefix) const {
  return list_multipart_uploads(prefix);
}

void GoogleStore::abort_unfinished(const UnfinishedUpload& upload) {
  abort_multipart_upload(upload);
}

// Retention is a matter of the bucket here, and its refusals are told when something is deleted.
std::optional<ObjectLock> GoogleStore::find_lock(const std::string& key) const {
  if (!find_answer(key)) throw Error(ErrorKind::not_found, describe(key) + " does not exist");
  return std::nullopt;
}

}  // namespace barman::object_store
