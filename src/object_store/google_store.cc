#include "object_store/google_store.h"

#include <utility>

namespace barman::object_store {
namespace {

// Completing an upload knows no conditions here.
S3Dialect google_dialect() {
  return {.meta_prefix = "x-goog-meta-",
          .condition = {"x-goog-if-generation-match", "0"},
          .has_conditional_completion = false};
}

}  // namespace

GoogleStore::GoogleStore(const StoreUrl& url, const StoreOptions& options)
    : GoogleStore((refuse_options_of_s3(options), std::make_shared<GoogleClient>(url, options))) {}

GoogleStore::GoogleStore(std::shared_ptr<GoogleClient> client)
    : S3DialectStore(client, google_dialect(), {}), client_(std::move(client)) {}

std::unique_ptr<pipeline::Sink> GoogleStore::upload(const std::string& key,
                                                    const UploadOptions& upload) {
  require_key(key);
  const StoreOptions& options = client_->options();
  HttpHeaders headers;
  // Tags become metadata of the object, as Barman keeps them.
  for (const auto& [name, value] : upload.tags ? *upload.tags : options.tags) {
    headers.emplace_back(dialect().meta_prefix + name, value);
  }
  if (!options.kms_key_name.empty()) {
    headers.emplace_back("x-goog-encryption-kms-key-name", options.kms_key_name);
  }
  if (!options.storage_class.empty()) {
    headers.emplace_back("x-goog-storage-class", options.storage_class);
  }
  return std::make_unique<S3Upload>(client_, key, upload, dialect(), std::move(headers),
                                    object_headers());
}

// Barman asks for the bucket itself, which a right to its objects does not include.
StoreCall GoogleStore::probe() const {
  return {.operation = "ListObjectsV2",
          .action = "cannot list",
          .query = {{"list-type", "2"}, {"max-keys", "1"}, {"prefix", client_->full_key("")}}};
}

void GoogleStore::create_bucket() {
  StoreCall call{.operation = "CreateBucket", .action = "cannot create"};
  if (const std::string project = client_->project(); !project.empty()) {
    call.headers.emplace_back("x-goog-project-id", project);
  }
  create_by(std::move(call), "BucketAlreadyOwnedByYou");
}

std::optional<ObjectLock> GoogleStore::find_lock(const std::string& key) const {
  static_cast<void>(require_answer(key));
  return std::nullopt;
}

}  // namespace barman::object_store
