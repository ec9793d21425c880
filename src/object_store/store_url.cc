#include "object_store/store_url.h"

#include <algorithm>
#include <array>
#include <vector>

#include <fmt/format.h>

#include "base/error.h"
#include "base/text.h"

namespace barman::object_store {
namespace {

constexpr std::string_view kAzureHost = "blob.core.windows.net";
constexpr std::string_view kGoogleScheme = "gs://";
constexpr std::string_view kGoogleConsole = "https://console.cloud.google.com/storage/browser/";

struct ProviderName {
  Provider provider;
  std::string_view word;
};
constexpr std::array kProviders = {
    ProviderName{Provider::aws_s3, "aws-s3"},
    ProviderName{Provider::azure_blob_storage, "azure-blob-storage"},
    ProviderName{Provider::google_cloud_storage, "google-cloud-storage"},
};

std::string_view without_slashes(std::string_view text) {
  while (text.starts_with('/')) text.remove_prefix(1);
  while (text.ends_with('/')) text.remove_suffix(1);
  return text;
}

void set_path(StoreUrl& result, std::string_view path) {
  while (path.starts_with('/')) path.remove_prefix(1);
  result.given_path = path;
  result.prefix = without_slashes(path);
}

// The text up to the next of `separators`, which is removed together with it.
std::string_view take_word(std::string_view& text, std::string_view separators) {
  const std::size_t end = text.find_first_of(separators);
  const std::string_view word = text.substr(0, end);
  text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  return word;
}

// Length of the ARN at the beginning of `text`; 0 when there is none.
std::size_t arn_length(std::string_view text) {
  std::string_view rest = text;
  if (take_word(rest, ":") != "arn" || !take_word(rest, ":").starts_with("aws")) return 0;
  const std::string_view service = take_word(rest, ":");
  const bool is_outpost = service == "s3-outposts";
  if (!is_outpost && service != "s3" && service != "s3-object-lambda") return 0;
  if (take_word(rest, ":").empty() || take_word(rest, ":").empty()) return 0;
  if (is_outpost && (take_word(rest, ":/") != "outpost" || take_word(rest, ":/").empty())) return 0;
  if (take_word(rest, ":/") != "accesspoint") return 0;
  const std::string_view name = take_word(rest, "/:");
  if (name.empty()) return 0;
  return static_cast<std::size_t>(name.data() + name.size() - text.data());
}

StoreUrl parse_s3_url(std::string_view url) {
  const Error invalid(ErrorKind::config, fmt::format("Invalid s3 URL address: {}", url),
                      "Write s3://BUCKET/PATH.");
  constexpr std::string_view kScheme = "s3://";
  if (!url.starts_with(kScheme)) throw invalid;
  const std::string_view rest = url.substr(kScheme.size());
  StoreUrl result{.provider = Provider::aws_s3};
  const std::size_t arn = arn_length(rest);
  const std::size_t end = arn > 0 ? arn : std::min(rest.find('/'), rest.size());
  result.bucket = rest.substr(0, end);
  if (result.bucket.empty()) throw invalid;
  set_path(result, rest.substr(end));
  return result;
}

StoreUrl parse_azure_url(std::string_view url) {
  const Error malformed(ErrorKind::config,
                        fmt::format("azure blob storage URL {} is malformed", url),
                        "Write https://ACCOUNT.blob.core.windows.net/CONTAINER/PATH.");
  const std::size_t scheme_end = url.find("://");
  if (scheme_end == std::string_view::npos) throw malformed;
  std::string_view rest = url.substr(scheme_end + 3);
  const std::string host(take_word(rest, "/"));
  StoreUrl result{.provider = Provider::azure_blob_storage};
  result.account_url = fmt::format("{}://{}", url.substr(0, scheme_end), host);
  if (host.ends_with(kAzureHost)) {
    result.account = host.substr(0, host.find('.'));
  } else {
    result.is_emulated = true;
    result.account = take_word(rest, "/");
    result.account_url += "/" + result.account;
  }
  result.bucket = take_word(rest, "/");
  if (result.account.empty() || result.bucket.empty()) throw malformed;
  set_path(result, rest);
  return result;
}

StoreUrl parse_google_url(std::string_view url) {
  std::string_view rest;
  for (const std::string_view beginning : {kGoogleScheme, kGoogleConsole}) {
    if (url.starts_with(beginning)) rest = url.substr(beginning.size());
  }
  StoreUrl result{.provider = Provider::google_cloud_storage};
  result.bucket = take_word(rest, "/");
  if (result.bucket.empty()) {
    throw Error(ErrorKind::config,
                fmt::format("Google cloud storage URL {} is malformed. Expected format are "
                            "'{}BUCKET/PATH' or '{}BUCKET/PATH'",
                            url, kGoogleConsole, kGoogleScheme));
  }
  set_path(result, without_slashes(rest));
  return result;
}

}  // namespace

std::string_view provider_word(Provider provider) {
  return std::ranges::find(kProviders, provider, &ProviderName::provider)->word;
}

std::optional<Provider> find_provider(std::string_view word) {
  const auto found = std::ranges::find(kProviders, word, &ProviderName::word);
  if (found == kProviders.end()) return std::nullopt;
  return found->provider;
}

std::string StoreUrl::text(std::string_view key) const {
  std::string result;
  switch (provider) {
    case Provider::aws_s3:
      result = "s3://";
      break;
    case Provider::azure_blob_storage:
      result = account_url + "/";
      break;
    case Provider::google_cloud_storage:
      result = kGoogleScheme;
      break;
  }
  result += bucket;
  if (!prefix.empty()) result += "/" + prefix;
  if (!key.empty()) result.append("/").append(key);
  return result;
}

StoreUrl parse_store_url(std::string_view url, Provider provider) {
  switch (provider) {
    case Provider::aws_s3:
      return parse_s3_url(url);
    case Provider::azure_blob_storage:
      return parse_azure_url(url);
    case Provider::google_cloud_storage:
      return parse_google_url(url);
  }
  throw Error(ErrorKind::internal, "unknown provider of object storage");
}

std::optional<Provider> find_provider_of_url(std::string_view url) {
  if (url.starts_with("s3://")) return Provider::aws_s3;
  if (url.starts_with(kGoogleScheme) || url.starts_with(kGoogleConsole)) {
    return Provider::google_cloud_storage;
  }
  if (url.starts_with("https://") || url.starts_with("http://")) {
    return Provider::azure_blob_storage;
  }
  return std::nullopt;
}

std::optional<S3Arn> find_arn(std::string_view bucket) {
  if (arn_length(bucket) == 0) return std::nullopt;
  std::string_view rest = bucket;
  S3Arn arn;
  take_word(rest, ":");
  arn.partition = take_word(rest, ":");
  arn.service = take_word(rest, ":");
  arn.region = take_word(rest, ":");
  arn.account = take_word(rest, ":");
  if (arn.service == "s3-outposts") {
    take_word(rest, ":/");
    arn.outpost = take_word(rest, ":/");
  }
  take_word(rest, ":/");
  arn.access_point = take_word(rest, "/:");
  return arn;
}

}  // namespace barman::object_store
