#include "object_store/azure_client.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "base/log.h"
#include "base/timestamp.h"
#include "object_store/azure_answers.h"
#include "object_store/wire_text.h"

namespace barman::object_store {
namespace {

constexpr std::chrono::seconds kAzureReadTimeout{60};
constexpr unsigned kAzureAttempts = 5;
// Seconds; Azure takes requests of the last 15 minutes.
constexpr std::int64_t kClockTolerance = 600;
constexpr std::string_view kAzureClientComponent = "barman.cloud";
// What azurite and all clouds understand; blob tags need 2019-12-12.
constexpr const char* kServiceVersion = "2021-12-02";

struct AzureHint {
  std::string_view code;
  std::string_view hint;
};
constexpr std::array kAzureHints = {
    AzureHint{"ContainerNotFound", "Create the container, or correct its name."},
    AzureHint{"AuthenticationFailed",
              "Look at the key, the signature or the token, and at the clock of this host."},
    AzureHint{"AuthorizationFailure", "Look at the firewall of the storage account."},
    AzureHint{"AuthorizationPermissionMismatch",
              "Give the identity the role \"Storage Blob Data Contributor\"."},
    AzureHint{"BlobImmutableDueToPolicy", "Wait until its policy lets go of the blob."},
    AzureHint{"InvalidBlockList", "Two programs have written this blob at once; try again."},
    AzureHint{"InvalidBlobOrBlock",
              "Another program has left an unfinished upload under this name: delete the blob, or "
              "wait until Azure forgets it after a week."},
    AzureHint{"BlobArchived", "The blob lies in the archive tier: rehydrate it first."},
};

HttpSettings azure_http_settings(const StoreOptions& options) {
  const Environment environment = environment_of(options);
  HttpSettings result{.connect_timeout = options.connect_limit.value_or(kConnectTimeout),
                      .read_timeout = options.read_timeout.value_or(kAzureReadTimeout),
                      .ca_file = environment("REQUESTS_CA_BUNDLE").value_or(""),
                      .max_bytes_per_second = options.max_bytes_per_second,
                      .interrupt = options.interrupt};
  if (!environment("http_proxy")) result.http_proxy = environment("HTTP_PROXY").value_or("");
  return result;
}

// "Sun, 29 Nov 2026 19:00:00 GMT"
std::string azure_date(std::int64_t seconds) {
  return fmt::format("{:%a, %d %b %Y %H:%M:%S} GMT",
                     fmt::gmtime(static_cast<std::time_t>(seconds)));
}

}  // namespace

AzureClient::AzureClient(const StoreUrl& url, const StoreOptions& options)
    : StoreClient(url, options, azure_http_settings(options),
                  options.max_attempts.value_or(kAzureAttempts)),
      keys_(url, options, http()) {}

void AzureClient::begin(const StoreCall& call, Attempts& state) const {
  if (!call.body.empty()) state.md5 = base64(md5(call.body));
}

HttpRequest AzureClient::prepare(const StoreCall& call, const Attempts& state) {
  const std::string& endpoint = keys_.endpoint();
  const std::size_t host_begin = endpoint.find("://") + 3;
  const std::size_t host_end = std::min(endpoint.find('/', host_begin), endpoint.size());
  std::string path = endpoint.substr(host_end) + "/" + percent_encoded(url().bucket);
  if (!call.key.empty()) path += "/" + percent_encoded(full_key(call.key), "/");
  HttpRequest request{.method = call.method,
                      .headers = call.headers,
                      .body = call.body,
                      .into = call.into,
                      .on_interrupt = call.on_interrupt};
  request.headers.emplace_back("x-ms-version", kServiceVersion);
  request.headers.emplace_back("x-ms-date",
                               azure_date(now_local().seconds() + clock_ahead_seconds_));
  if (!state.md5.empty()) request.headers.emplace_back("Content-MD5", state.md5);
  keys_.authorize(request, path, call.query);
  QueryParameters query = call.query;
  const QueryParameters& signature = keys_.signature();
  query.insert(query.end(), signature.begin(), signature.end());
  request.url = fmt::format("{}{}{}{}", endpoint.substr(0, host_end), path,
                            query.empty() ? "" : "?", query_text(query));
  return request;
}

ProviderError AzureClient::error_of(const HttpAnswer& answer) const {
  ProviderError error = parse_azure_error(answer.body);
  if (error.code.empty()) error.code = answer.header("x-ms-error-code");
  error.request_id = answer.header("x-ms-request-id");
  return error;
}

AzureClient::Verdict AzureClient::judge(const StoreCall&, const HttpAnswer& answer,
                                        const ProviderError& error, Attempts& state) {
  if (error.code == "AuthenticationFailed" && !state.has_new_clock) {
    state.has_new_clock = true;
    const auto date = parse_timestamp(answer.header("date"));
    const std::int64_t ahead = date ? date->time.seconds() - now_local().seconds() : 0;
    // A smaller difference is not what was wrong.
    if (std::abs(ahead - clock_ahead_seconds_) > kClockTolerance) {
      clock_ahead_seconds_ = ahead;
      log::warning(kAzureClientComponent, "the clock of this host differs from that of {} by {} s",
                   place(), ahead);
      return Verdict::try_at_once;
    }
  }
  if (answer.status == 401 && !state.has_new_keys) {
    state.has_new_keys = true;
    if (keys_.forget()) return Verdict::try_at_once;
  }
  return Verdict::fail;
}

std::string AzureClient::hint_for(const StoreCall&, const StoreError::Answer& answer) const {
  const auto found = std::ranges::find(kAzureHints, answer.code, &AzureHint::code);
  return found == kAzureHints.end() ? std::string() : std::string(found->hint);
}

std::string AzureClient::place() const { return keys_.endpoint(); }

std::string AzureClient::authority_hint() const {
  return "Set REQUESTS_CA_BUNDLE to the certificates of its authority.";
}

}  // namespace barman::object_store
