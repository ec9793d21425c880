// Signature Version 4 of AWS, as "Authenticating Requests: Using the Authorization Header" of
// Amazon S3's API reference says. All headers that are given are signed.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/timestamp.h"
#include "object_store/http_client.h"

namespace barman::object_store {

struct AwsKeys {
  std::string access_key;
  std::string secret_key;
  std::string session_token;  // "" for keys that do not expire
};

// What stands behind "?" of an URL, not encoded yet.
using QueryParameters = std::vector<std::pair<std::string, std::string>>;

// Sorted and encoded: "a=1&uploads=".
std::string query_text(const QueryParameters& query);

struct AwsRequest {
  std::string method;
  std::string host;
  std::string encoded_path;  // begins with a slash
  QueryParameters query = {};
  HttpHeaders headers = {};  // without Host
  // Digits of the SHA-256 of the body, or kUnsignedPayload.
  std::string payload_hash;
};
inline constexpr std::string_view kUnsignedPayload = "UNSIGNED-PAYLOAD";

struct AwsScope {
  std::string region;
  std::string service = "s3";
};

// The headers of the request and those that prove who sends it: Authorization, x-amz-date,
// x-amz-content-sha256, x-amz-security-token.
HttpHeaders sign_aws_request(const AwsRequest& request, const AwsKeys& keys, const AwsScope& scope,
                             Timestamp now);

}  // namespace barman::object_store
