// Requests to one container of Azure's Blob service.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "object_store/azure_keys.h"
#include "object_store/store_client.h"

namespace barman::object_store {

class AzureClient final : public StoreClient {
 public:
  AzureClient(const StoreUrl& url, const StoreOptions& options);

 private:
  void begin(const StoreCall& call, Attempts& state) const override;
  HttpRequest prepare(const StoreCall& call, const Attempts& state) override;
  ProviderError error_of(const HttpAnswer& answer) const override;
  Verdict judge(const StoreCall& call, const HttpAnswer& answer, const ProviderError& error,
                Attempts& state) override;
  std::string hint_for(const StoreCall& call, const StoreError::Answer& answer) const override;
  std::string place() const override;
  std::string authority_hint() const override;

  AzureKeys keys_;
  // What the provider's clock is ahead of ours, when that was too much for it.
  std::atomic<std::int64_t> clock_ahead_seconds_ = 0;
};

}  // namespace barman::object_store
