#include "object_store/aws_signature.h"

#include <algorithm>
#include <map>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "base/text.h"
#include "object_store/wire_text.h"

namespace barman::object_store {
namespace {

constexpr std::string_view kAwsAlgorithm = "AWS4-HMAC-SHA256";

// "20130524T000000Z"
std::string aws_time(Timestamp now) {
  return fmt::format("{:%Y%m%dT%H%M%SZ}", fmt::gmtime(static_cast<std::time_t>(now.seconds())));
}

// Blanks in a row count as one.
std::string canonical_value(std::string_view value) {
  std::string result;
  for (const char c : strip(value)) {
    if (c != ' ' || !result.ends_with(' ')) result += c;
  }
  return result;
}

std::string sha256_text(std::string_view text) { return hex(sha256(as_bytes(text))); }

}  // namespace

std::string query_text(const QueryParameters& query) {
  std::vector<std::string> parts;
  parts.reserve(query.size());
  QueryParameters encoded;
  for (const auto& [name, value] : query) {
    encoded.emplace_back(percent_encoded(name), percent_encoded(value));
  }
  std::ranges::sort(encoded);
  for (const auto& [name, value] : encoded) parts.push_back(name + "=" + value);
  return join(parts, "&");
}

HttpHeaders sign_aws_request(const AwsRequest& request, const AwsKeys& keys, const AwsScope& scope,
                             Timestamp now) {
  const std::string time = aws_time(now);
  const std::string day = time.substr(0, 8);
  HttpHeaders headers = request.headers;
  headers.emplace_back("x-amz-content-sha256", request.payload_hash);
  headers.emplace_back("x-amz-date", time);
  if (!keys.session_token.empty()) {
    headers.emplace_back("x-amz-security-token", keys.session_token);
  }
  std::map<std::string, std::string> canonical{{"host", request.host}};
  for (const auto& [name, value] : headers) canonical[to_lower(name)] = canonical_value(value);
  std::string header_lines;
  std::vector<std::string> names;
  for (const auto& [name, value] : canonical) {
    header_lines += fmt::format("{}:{}\n", name, value);
    names.push_back(name);
  }
  const std::string signed_names = join(names, ";");
  const std::string canonical_request =
      fmt::format("{}\n{}\n{}\n{}\n{}\n{}", request.method, request.encoded_path,
                  query_text(request.query), header_lines, signed_names, request.payload_hash);
  const std::string scope_text =
      fmt::format("{}/{}/{}/aws4_request", day, scope.region, scope.service);
  const std::string text = fmt::format("{}\n{}\n{}\n{}", kAwsAlgorithm, time, scope_text,
                                       sha256_text(canonical_request));
  std::string key = hmac_sha256("AWS4" + keys.secret_key, day);
  for (const std::string& part : {scope.region, scope.service, std::string("aws4_request")}) {
    key = hmac_sha256(key, part);
  }
  headers.emplace_back(
      "Authorization",
      fmt::format("{} Credential={}/{}, SignedHeaders={}, Signature={}", kAwsAlgorithm,
                  keys.access_key, scope_text, signed_names, hex(hmac_sha256(key, text))));
  return headers;
}

}  // namespace barman::object_store
