// Requests to one bucket of S3: signed, and sent to the region that the bucket turns out to be in.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>

#include "object_store/aws_credentials.h"
#include "object_store/aws_settings.h"
#include "object_store/s3_endpoint.h"
#include "object_store/store_client.h"

namespace barman::object_store {

class S3Client final : public StoreClient {
 public:
  S3Client(const StoreUrl& url, const StoreOptions& options);

  // Where requests go now.
  S3Endpoint endpoint() const;

 private:
  S3Client(const StoreUrl& url, const StoreOptions& options, AwsSettings settings);

  void begin(const StoreCall& call, Attempts& state) const override;
  HttpRequest prepare(const StoreCall& call, const Attempts& state) override;
  ProviderError error_of(const HttpAnswer& answer) const override;
  Verdict judge(const StoreCall& call, const HttpAnswer& answer, const ProviderError& error,
                Attempts& state) override;
  std::string hint_for(const StoreCall& call, const StoreError::Answer& answer) const override;
  std::string place() const override;
  std::string authority_hint() const override;
  bool follow_region(const HttpAnswer& answer, const ProviderError& error);

  const AwsSettings settings_;
  AwsCredentialChain credentials_;
  mutable std::mutex mutex_;
  S3Endpoint endpoint_;
  // What the provider's clock is ahead of ours, when that was too much for it.
  std::atomic<std::int64_t> clock_ahead_seconds_ = 0;
};

}  // namespace barman::object_store
