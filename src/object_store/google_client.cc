#include "object_store/google_client.h"

#include <utility>

#include <fmt/format.h>

#include "object_store/aws_answers.h"
#include "object_store/wire_text.h"

namespace barman::object_store {
namespace {

constexpr std::chrono::seconds kGoogleReadTimeout{60};
constexpr unsigned kGoogleAttempts = 6;

HttpSettings google_http_settings(const StoreOptions& options) {
  const Environment environment = environment_of(options);
  HttpSettings result{.connect_timeout = options.connect_limit.value_or(kConnectTimeout),
                      .read_timeout = options.read_timeout.value_or(kGoogleReadTimeout),
                      .ca_file = environment("REQUESTS_CA_BUNDLE").value_or(""),
                      .max_bytes_per_second = options.max_bytes_per_second,
                      .interrupt = options.interrupt};
  if (!environment("http_proxy")) result.http_proxy = environment("HTTP_PROXY").value_or("");
  return result;
}

std::string google_endpoint(const StoreOptions& options) {
  const Environment environment = environment_of(options);
  std::string result = environment("STORAGE_EMULATOR_HOST").value_or("");
  if (result.empty()) result = environment("API_ENDPOINT_OVERRIDE").value_or("");
  if (result.empty()) {
    return "https://storage." +
           environment("GOOGLE_CLOUD_UNIVERSE_DOMAIN").value_or("googleapis.com");
  }
  while (result.ends_with('/')) result.pop_back();
  return result.find("://") == std::string::npos ? "http://" + result : result;
}

}  // namespace

GoogleClient::GoogleClient(const StoreUrl& url, const StoreOptions& options)
    : StoreClient(url, options, google_http_settings(options),
                  options.max_attempts.value_or(kGoogleAttempts)),
      endpoint_(google_endpoint(options)),
      keys_(options, http()) {}

void GoogleClient::begin(const StoreCall& call, Attempts& state) const {
  if (!call.body.empty() || call.operation == "PutObject") state.md5 = base64(md5(call.body));
}

HttpRequest GoogleClient::prepare(const StoreCall& call, const Attempts& state) {
  std::string path = "/" + percent_encoded(url().bucket);
  if (!call.key.empty()) path += "/" + percent_encoded(full_key(call.key), "/");
  HttpRequest request{.method = call.method,
                      .url = fmt::format("{}{}{}{}", endpoint_, path, call.query.empty() ? "" : "?",
                                         query_text(call.query)),
                      .headers = call.headers,
                      .body = call.body,
                      .into = call.into,
                      .on_interrupt = call.on_interrupt};
  if (!state.md5.empty()) request.headers.emplace_back("Content-MD5", state.md5);
  const std::string token = keys_.token();
  if (!token.empty()) request.headers.emplace_back("Authorization", "Bearer " + token);
  if (!keys_.quota_project().empty()) {
    request.headers.emplace_back("x-goog-user-project", keys_.quota_project());
  }
  return request;
}

ProviderError GoogleClient::error_of(const HttpAnswer& answer) const {
  ProviderError result;
  if (const auto error = find_aws_error(answer.body)) {
    result = {.code = error->code, .message = error->message, .request_id = error->request_id};
  }
  if (result.request_id.empty()) result.request_id = answer.header("x-guploader-uploadid");
  return result;
}

GoogleClient::Verdict GoogleClient::judge(const StoreCall&, const HttpAnswer& answer,
                                          const ProviderError&, Attempts& state) {
  if (answer.status == 401 && !state.has_new_keys) {
    state.has_new_keys = true;
    if (keys_.forget()) return Verdict::try_at_once;
  }
  return Verdict::fail;
}

std::string GoogleClient::hint_for(const StoreCall&, const StoreError::Answer& answer) const {
  if (answer.code == "NoSuchBucket") return "Create the bucket, or correct its name.";
  if (answer.http_status == 401 || answer.http_status == 403) {
    return "Give the account the role \"Storage Object Admin\" for the bucket.";
  }
  return {};
}

std::string GoogleClient::authority_hint() const {
  return "Set REQUESTS_CA_BUNDLE to the certificates of its authority.";
}

}  // namespace barman::object_store
