// Containers of Azure's Blob service.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "object_store/azure_client.h"
#include "object_store/bucket_store.h"

namespace barman::object_store {

class AzureStore final : public BucketStore {
 public:
  // Throws `config` for what containers do not have.
  AzureStore(const StoreUrl& url, const StoreOptions& options);

  std::unique_ptr<pipeline::Sink> upload(const std::string& key,
                                         const UploadOptions& options) override;
  void create_bucket() override;
  // Azure forgets them by itself.
  std::vector<UnfinishedUpload> list_unfinished(std::string_view) const override { return {}; }
  void abort_unfinished(const UnfinishedUpload&) override {}
  std::optional<ObjectLock> find_lock(const std::string& key) const override;

 private:
  explicit AzureStore(std::shared_ptr<AzureClient> client);

  ListedPage list_page(const std::string& full_prefix, std::string_view delimiter,
                       const std::string& token) const override;
  StoreCall probe() const override;

  const std::shared_ptr<AzureClient> client_;
};

}  // namespace barman::object_store
