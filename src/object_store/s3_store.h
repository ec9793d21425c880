// Buckets of S3: Amazon's own and those of compatible stores.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "object_store/s3_client.h"
#include "object_store/s3_dialect_store.h"

namespace barman::object_store {

class S3Store final : public S3DialectStore {
 public:
  S3Store(const StoreUrl& url, const StoreOptions& options);

  std::unique_ptr<pipeline::Sink> upload(const std::string& key,
                                         const UploadOptions& options) override;
  // By the thousand; with StoreOptions::removes_versions each version of them.
  void remove(std::span<const std::string> keys) override;

  void check_bucket() override;
  void create_bucket() override;
  std::optional<ObjectLock> find_lock(const std::string& key) const override;

 private:
  explicit S3Store(std::shared_ptr<S3Client> client);

  StoreCall probe() const override;
  HttpHeaders new_object_headers(const UploadOptions& options) const;
  void remove_batch(std::span<const ObjectVersion> batch, std::string& first_failure);
  void remove_singly(std::span<const ObjectVersion> batch);
  std::vector<ObjectVersion> versions_of(const std::string& key) const;
  std::vector<ObjectVersion> versions_of_all(std::span<const std::string> keys) const;

  const std::shared_ptr<S3Client> client_;
};

}  // namespace barman::object_store
