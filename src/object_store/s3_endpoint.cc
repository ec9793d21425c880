#include "object_store/s3_endpoint.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/error.h"
#include "base/text.h"
#include "object_store/store_url.h"
#include "object_store/wire_text.h"

namespace barman::object_store {
namespace {

constexpr const char* kUsualRegion = "us-east-1";

std::string aws_domain(const std::string& region) {
  return region.starts_with("cn-") ? "amazonaws.com.cn" : "amazonaws.com";
}

void strip_usual_port(S3Endpoint& endpoint) {
  const std::string usual = endpoint.is_encrypted() ? ":443" : ":80";
  if (endpoint.host.ends_with(usual)) {
    endpoint.host.resize(endpoint.host.size() - usual.size());
  }
}

void set_custom_host(S3Endpoint& endpoint, const std::string& url) {
  const std::size_t scheme_end = url.find("://");
  endpoint.scheme = to_lower(url.substr(0, std::min(scheme_end, url.size())));
  if (scheme_end != std::string::npos) {
    const std::string rest = url.substr(scheme_end + 3);
    const std::size_t slash = rest.find('/');
    endpoint.host = rest.substr(0, slash);
    if (slash != std::string::npos) endpoint.path = rest.substr(slash);
    while (endpoint.path.ends_with('/')) endpoint.path.pop_back();
  }
  const bool has_scheme = endpoint.scheme == "http" || endpoint.scheme == "https";
  if (!has_scheme || endpoint.host.empty() || endpoint.host.find('@') != std::string::npos) {
    throw Error(ErrorKind::config, fmt::format("Invalid endpoint: {}", url),
                "Write https://HOST or https://HOST:PORT.");
  }
  strip_usual_port(endpoint);
  endpoint.is_custom = true;
}

// "127.0.0.1:9000", "[::1]:9000": nothing can stand before it, whatever style is asked for.
bool is_address(std::string_view host) {
  if (host.starts_with('[')) return true;
  const std::string_view name = host.substr(0, host.find(':'));
  return !name.empty() &&
         std::ranges::all_of(name, [](char c) { return (c >= '0' && c <= '9') || c == '.'; });
}

S3Endpoint arn_endpoint(const AwsSettings& settings, const S3Arn& arn) {
  if (settings.addressing_style == AddressingStyle::path) {
    throw Error(ErrorKind::config, "an access point cannot be addressed in path style",
                "Use the addressing style auto or virtual.");
  }
  S3Endpoint endpoint{.scheme = "https", .scope = {.region = arn.region, .service = arn.service}};
  const std::string name = fmt::format("{}-{}", arn.access_point, arn.account);
  if (!settings.endpoint_url.empty()) {
    set_custom_host(endpoint, settings.endpoint_url);
    endpoint.host = arn.service == "s3-outposts"
                        ? fmt::format("{}.{}.{}", name, arn.outpost, endpoint.host)
                        : fmt::format("{}.{}", name, endpoint.host);
    return endpoint;
  }
  const std::string domain = aws_domain(arn.region);
  const std::string dual_stack = settings.uses_dual_stack ? ".dualstack" : "";
  if (arn.service == "s3-outposts") {
    endpoint.host = fmt::format("{}.{}.s3-outposts.{}.{}", name, arn.outpost, arn.region, domain);
  } else if (arn.service == "s3-object-lambda") {
    endpoint.host = fmt::format("{}.s3-object-lambda.{}.{}", name, arn.region, domain);
  } else {
    endpoint.host = fmt::format("{}.s3-accesspoint{}{}.{}.{}", name,
                                settings.uses_fips ? "-fips" : "", dual_stack, arn.region, domain);
  }
  return endpoint;
}

}  // namespace

bool is_host_label(const std::string& bucket) {
  if (bucket.size() < 3 || bucket.size() > 63) return false;
  if (bucket.starts_with('-') || bucket.ends_with('-')) return false;
  return std::ranges::all_of(
      bucket, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; });
}

std::string S3Endpoint::encoded_path(const std::string& key) const {
  const std::string result = key.empty() ? path : path + "/" + percent_encoded(key, "/");
  return result.empty() ? "/" : result;
}

std::string S3Endpoint::url(const std::string& encoded_path, const std::string& query) const {
  return fmt::format("{}://{}{}{}{}", scheme, host, encoded_path, query.empty() ? "" : "?", query);
}

S3Endpoint s3_endpoint(const AwsSettings& settings, const std::string& bucket) {
  if (const auto arn = find_arn(bucket)) return arn_endpoint(settings, *arn);
  S3Endpoint endpoint{.scheme = "https"};
  endpoint.scope.region = settings.region.empty() ? kUsualRegion : settings.region;
  const AddressingStyle style = settings.addressing_style.value_or(AddressingStyle::automatic);
  const bool is_custom = !settings.endpoint_url.empty();
  if (is_custom) {
    set_custom_host(endpoint, settings.endpoint_url);
  } else {
    endpoint.host = fmt::format("s3{}{}.{}.{}", settings.uses_fips ? "-fips" : "",
                                settings.uses_dual_stack ? ".dualstack" : "", endpoint.scope.region,
                                aws_domain(endpoint.scope.region));
  }
  const bool is_wanted =
      style == AddressingStyle::virtual_host || (style == AddressingStyle::automatic && !is_custom);
  const bool is_virtual = is_wanted && is_host_label(bucket) && !is_address(endpoint.host);
  if (is_virtual) {
    endpoint.host = bucket + "." + endpoint.host;
  } else {
    endpoint.path += "/" + percent_encoded(bucket);
  }
  return endpoint;
}

}  // namespace barman::object_store
