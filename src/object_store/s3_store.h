// Buckets of S3: Amazon's own and those of compatible stores.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "object_store/bucket_store.h"
#include "object_store/s3_client.h"

namespace barman::object_store {

class S3Store final : public BucketStore {
 public:
  S3Store(const StoreUrl& url, const StoreOptions& options);

  std::unique_ptr<pipeline::Sink> upload(const std::string& key,
                                         const UploadOptions& options) override;
  std::unique_ptr<pipeline::ContentFile> open(const std::string& key) const override;
  void remove(std::span<const std::string> keys) override;

  void check_bucket() override;
  void create_bucket() override;
  std::vector<UnfinishedUpload> list_unfinished(std::string_view prefix) const override;
  void abort_unfinished(const UnfinishedUpload& upload) override;
  std::optional<ObjectLock> find_lock(const std::string& key) const override;

 private:
  explicit S3Store(std::shared_ptr<S3Client> client);

  ListedPage list_page(const std::string& full_prefix, std::string_view delimiter,
                       const std::string& token) const override;
  HttpAnswer ask_for(const std::string& key) const override;
  bool is_bucket_missing() const override;
  HttpHeaders object_headers(const UploadOptions& options) const;
  HttpHeaders customer_key_headers() const;
  void remove_batch(std::span<const std::string> keys, std::string& first_failure);
  void remove_singly(std::span<const std::string> keys);

  const std::shared_ptr<S3Client> client_;
};

}  // namespace barman::object_store
