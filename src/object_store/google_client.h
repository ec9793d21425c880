// Requests to one bucket of Google Cloud Storage, in its dialect of S3's XML.
#pragma once

#include <string>

#include "object_store/google_keys.h"
#include "object_store/store_client.h"

namespace barman::object_store {

class GoogleClient final : public StoreClient {
 public:
  GoogleClient(const StoreUrl& url, const StoreOptions& options);

  std::string project() const { return keys_.project(); }

 private:
  void begin(const StoreCall& call, Attempts& state) const override;
  HttpRequest prepare(const StoreCall& call, const Attempts& state) override;
  ProviderError error_of(const HttpAnswer& answer) const override;
  Verdict judge(const StoreCall& call, const HttpAnswer& answer, const ProviderError& error,
                Attempts& state) override;
  std::string hint_for(const StoreCall& call, const StoreError::Answer& answer) const override;
  std::string place() const override { return endpoint_; }
  std::string authority_hint() const override;

  const std::string endpoint_;
  GoogleKeys keys_;
};

}  // namespace barman::object_store
