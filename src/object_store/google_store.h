// Buckets of Google Cloud Storage.
#pragma once

#include <memory>
#include <string>

#include "object_store/google_client.h"
#include "object_store/s3_dialect_store.h"

namespace barman::object_store {

class GoogleStore final : public S3DialectStore {
 public:
  // Throws `config` for what these buckets do not have.
  GoogleStore(const StoreUrl& url, const StoreOptions& options);

  std::unique_ptr<pipeline::Sink> upload(const std::string& key,
                                         const UploadOptions& options) override;
  void create_bucket() override;
  // Retention is a matter of the bucket here, and its refusals are told when something is deleted.
  std::optional<ObjectLock> find_lock(const std::string& key) const override;

 private:
  explicit GoogleStore(std::shared_ptr<GoogleClient> client);

  StoreCall probe() const override;

  const std::shared_ptr<GoogleClient> client_;
};

}  // namespace barman::object_store
