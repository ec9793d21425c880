// Buckets of Google Cloud Storage.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "object_store/bucket_store.h"
#include "object_store/google_client.h"

namespace barman::object_store {

class GoogleStore final : public BucketStore {
 public:
  GoogleStore(const StoreUrl& url, const StoreOptions& options);

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
  explicit GoogleStore(std::shared_ptr<GoogleClient> client);

  ListedPage list_page(const std::string& full_prefix, std::string_view delimiter,
                       const std::string& token) const override;
  HttpAnswer ask_for(const std::string& key) const override;
  bool is_bucket_missing() const override;
  void remove_one(const std::string& key);

  const std::shared_ptr<GoogleClient> client_;
};

}  // namespace barman::object_store
