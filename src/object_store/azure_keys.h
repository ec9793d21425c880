// What proves to Azure who we are: the key of the account, a shared access signature, or a token of
// Entra ID, found in the order of Barman: the connection string, the signature, the key, then what
// the SDK's default chain tries (service principal, workload identity, managed identity, the CLI).
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/timestamp.h"
#include "base/wall_clock.h"
#include "object_store/access_token.h"
#include "object_store/aws_settings.h"
#include "object_store/aws_signature.h"
#include "object_store/http_client.h"
#include "object_store/store_options.h"
#include "object_store/store_url.h"

namespace barman::object_store {

// "DefaultEndpointsProtocol=https;AccountName=…;AccountKey=…;EndpointSuffix=…"
struct AzureConnection {
  std::string blob_endpoint;  // "https://account.blob.core.windows.net"
  std::string account;
  std::string key;        // as bytes
  std::string signature;  // a SAS
};
// Throws `config`.
AzureConnection parse_azure_connection(std::string_view text);

// The Authorization of SharedKey for a request; `path` as it is in the URL, `query` not encoded.
std::string azure_shared_key(const std::string& account, const std::string& key,
                             const HttpRequest& request, const std::string& path,
                             const QueryParameters& query);

// Several threads may ask; the first one fetches.
class AzureKeys {
 public:
  // Throws `config` for what can be told without asking anybody.
  AzureKeys(const StoreUrl& url, const StoreOptions& options, const HttpClient& http,
            WallClock clock = {});

  // "https://account.blob.core.windows.net": of the connection string, else of the URL.
  const std::string& endpoint() const { return endpoint_; }
  // The shared access signature, parsed; empty when there is none.
  const QueryParameters& signature() const { return signature_; }
  // Adds Authorization, unless there is a signature.
  void authorize(HttpRequest& request, const std::string& path, const QueryParameters& query);
  // As AwsCredentialChain::forget().
  bool forget();

 private:
  std::string token();
  // Each of them may have none, and says why.
  using Reasons = std::vector<std::string>;
  AccessToken find_token() const;
  std::optional<AccessToken> ask_principal() const;
  std::optional<AccessToken> ask_managed_identity(Reasons& reasons) const;
  std::optional<AccessToken> ask_cli(Reasons& reasons) const;
  std::optional<AccessToken> post_form(const std::string& url, const QueryParameters& form) const;

  const Environment environment_;
  const std::optional<AzureCredential> credential_;
  const HttpClient& http_;
  const WallClock clock_;
  std::string endpoint_;
  std::string account_;
  std::string key_;
  QueryParameters signature_;
  std::mutex mutex_;
  std::optional<AccessToken> token_;
};

}  // namespace barman::object_store
