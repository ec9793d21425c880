#include "object_store/azure_keys.h"

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/process.h"
#include "base/text.h"
#include "object_store/wire_text.h"

namespace barman::object_store {
namespace {

constexpr std::int64_t kTokenReserveSeconds = 300;
constexpr std::chrono::seconds kIdentityLimit{3};
constexpr std::chrono::seconds kAuthorityLimit{30};
constexpr std::size_t kMaxIdentityFile = std::size_t{64} << 10;
constexpr const char* kStorageResource = "https://storage.azure.com/";
constexpr std::string_view kAzureComponent = "barman.cloud";
// The account of every emulator; its key is printed in Microsoft's documentation.
constexpr const char* kEmulatorAccount = "devstoreaccount1";
constexpr const char* kEmulatorKey =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

std::string decoded_key(const std::string& text) {
  const auto key = base64_decoded(text);
  if (!key || key->empty()) {
    throw Error(ErrorKind::config, "the key of the Azure storage account is not valid base64",
                "Copy the key again from the account's access keys.");
  }
  return *key;
}

QueryParameters parse_signature(std::string_view text) {
  if (text.starts_with('?')) text.remove_prefix(1);
  QueryParameters result;
  for (const std::string& part : split(text, '&')) {
    if (part.empty()) continue;
    const std::size_t equals = part.find('=');
    result.emplace_back(
        percent_decoded(part.substr(0, equals)),
        equals == std::string::npos ? "" : percent_decoded(part.substr(equals + 1)));
  }
  return result;
}

std::string without_last_slash(std::string text) {
  while (text.ends_with('/')) text.pop_back();
  return text;
}

std::string header_of(const HttpRequest& request, std::string_view name) {
  for (const auto& [key, value] : request.headers) {
    if (to_lower(key) == name) return value;
  }
  return {};
}

}  // namespace

AzureConnection parse_azure_connection(std::string_view text) {
  std::map<std::string, std::string> values;
  for (const std::string& part : split(text, ';')) {
    const std::size_t equals = part.find('=');
    if (equals == std::string::npos) continue;
    values[to_lower(strip(part.substr(0, equals)))] = strip(part.substr(equals + 1));
  }
  AzureConnection result;
  if (to_lower(values["usedevelopmentstorage"]) == "true") {
    return {.blob_endpoint = std::string("http://127.0.0.1:10000/") + kEmulatorAccount,
            .account = kEmulatorAccount,
            .key = decoded_key(kEmulatorKey)};
  }
  result.account = values["accountname"];
  if (!values["accountkey"].empty()) result.key = decoded_key(values["accountkey"]);
  result.signature = values["sharedaccesssignature"];
  result.blob_endpoint = without_last_slash(values["blobendpoint"]);
  if (result.blob_endpoint.empty() && !result.account.empty()) {
    const auto or_usual = [](const std::string& value, const char* usual) {
      return value.empty() ? std::string(usual) : value;
    };
    result.blob_endpoint =
        fmt::format("{}://{}.blob.{}", or_usual(values["defaultendpointsprotocol"], "https"),
                    result.account, or_usual(values["endpointsuffix"], "core.windows.net"));
  }
  const bool is_enough =
      !result.blob_endpoint.empty() &&
      (!result.signature.empty() || (!result.account.empty() && !result.key.empty()));
  if (!is_enough) {
    throw Error(ErrorKind::config, "Connection string is either blank or malformed.",
                "Copy AZURE_STORAGE_CONNECTION_STRING again from the account's access keys.");
  }
  return result;
}

std::string azure_shared_key(const std::string& account, const std::string& key,
                             const HttpRequest& request, const std::string& path,
                             const QueryParameters& query) {
  std::map<std::string, std::string> named;
  for (const auto& [name, value] : request.headers) {
    const std::string lower = to_lower(name);
    if (lower.starts_with("x-ms-")) named[lower] = strip(value);
  }
  std::map<std::string, std::vector<std::string>> parameters;
  for (const auto& [name, value] : query) parameters[to_lower(name)].push_back(value);
  std::string text = request.method;
  text += "\n\n\n";  // Content-Encoding, Content-Language
  text += request.body.empty() ? "" : std::to_string(request.body.size());
  for (const char* name : {"content-md5", "content-type", "date", "if-modified-since", "if-match",
                           "if-none-match", "if-unmodified-since", "range"}) {
    text += "\n" + header_of(request, name);
  }
  text += "\n";
  for (const auto& [name, value] : named) text += fmt::format("{}:{}\n", name, value);
  text += fmt::format("/{}{}", account, path);
  for (auto& [name, values] : parameters) {
    std::ranges::sort(values);
    text += fmt::format("\n{}:{}", name, join(values, ","));
  }
  return fmt::format("SharedKey {}:{}", account, base64(hmac_sha256(key, text)));
}

AzureKeys::AzureKeys(const StoreUrl& url, const StoreOptions& options, const HttpClient& http,
                     WallClock clock)
    : environment_(environment_of(options)),
      credential_(options.azure_credential),
      http_(http),
      clock_(std::move(clock)),
      endpoint_(url.account_url),
      account_(url.account) {
  if (const auto text = environment_("AZURE_STORAGE_CONNECTION_STRING"); text && !credential_) {
    log::info(kAzureComponent, "Authenticating to Azure with connection string");
    const AzureConnection connection = parse_azure_connection(*text);
    endpoint_ = connection.blob_endpoint;
    account_ = connection.account;
    key_ = connection.key;
    if (key_.empty()) signature_ = parse_signature(connection.signature);
    return;
  }
  if (url.is_emulated) {
    throw Error(ErrorKind::config,
                "A connection string must be provided when using emulated storage",
                "Set AZURE_STORAGE_CONNECTION_STRING.");
  }
  if (credential_) return;
  if (const auto text = environment_("AZURE_STORAGE_SAS_TOKEN")) {
    log::info(kAzureComponent, "Authenticating to Azure with SAS token");
    signature_ = parse_signature(*text);
  } else if (const auto key = environment_("AZURE_STORAGE_KEY")) {
    log::info(kAzureComponent, "Authenticating to Azure with shared key");
    key_ = decoded_key(*key);
  } else {
    log::info(kAzureComponent, "Authenticating to Azure with default credentials");
  }
}

void AzureKeys::authorize(HttpRequest& request, const std::string& path,
                          const QueryParameters& query) {
  if (!signature_.empty()) return;
  if (!key_.empty()) {
    request.headers.emplace_back("Authorization",
                                 azure_shared_key(account_, key_, request, path, query));
    return;
  }
  request.headers.emplace_back("Authorization", "Bearer " + token());
}

std::string AzureKeys::token() {
  const std::lock_guard lock(mutex_);
  const bool is_old = token_ && token_->expires &&
                      token_->expires->seconds() - clock_.now().seconds() < kTokenReserveSeconds;
  if (!token_ || is_old) token_ = find_token();
  return token_->token;
}

bool AzureKeys::forget() {
  const std::lock_guard lock(mutex_);
  const bool had_one = token_.has_value();
  token_.reset();
  return had_one;
}

AccessToken AzureKeys::find_token() const {
  const bool is_default = !credential_ || *credential_ == AzureCredential::default_chain;
  std::optional<AccessToken> found;
  Reasons reasons;
  if (is_default) found = ask_principal();
  if (!found && (is_default || *credential_ == AzureCredential::managed_identity)) {
    found = ask_managed_identity(reasons);
  }
  if (!found && (is_default || *credential_ == AzureCredential::azure_cli)) {
    found = ask_cli(reasons);
  }
  if (found) return *found;
  throw Error(ErrorKind::config,
              fmt::format("no credentials for Azure are found ({})", join(reasons, "; ")),
              "Set AZURE_STORAGE_CONNECTION_STRING, AZURE_STORAGE_SAS_TOKEN or AZURE_STORAGE_KEY, "
              "give this host a managed identity, or sign in with \"az login\".");
}

std::optional<AccessToken> AzureKeys::post_form(const std::string& url,
                                                const QueryParameters& form) const {
  const std::string body = query_text(form);
  const HttpAnswer answer =
      http_.send({.method = "POST",
                  .url = url,
                  .headers = {{"Content-Type", "application/x-www-form-urlencoded"}},
                  .body = as_bytes(body),
                  .time_limit = kAuthorityLimit});
  auto token = answer.is_success() ? parse_access_token(answer.body, clock_.now()) : std::nullopt;
  if (!token) {
    throw Error(answer.is_whole() ? ErrorKind::permission : ErrorKind::connection,
                fmt::format("\"{}\" gives no token: {}", url,
                            answer.is_whole() ? fmt::format("HTTP status {}", answer.status)
                                              : answer.failure_text),
                "Look at AZURE_TENANT_ID, AZURE_CLIENT_ID and the secret or token file.");
  }
  return token;
}

// A service principal with a secret, or a workload identity with the token of a file.
std::optional<AccessToken> AzureKeys::ask_principal() const {
  const auto tenant = environment_("AZURE_TENANT_ID");
  const auto client = environment_("AZURE_CLIENT_ID");
  const auto secret = environment_("AZURE_CLIENT_SECRET");
  const auto file = environment_("AZURE_FEDERATED_TOKEN_FILE");
  if (tenant && client && !secret && environment_("AZURE_CLIENT_CERTIFICATE_PATH")) {
    throw Error(ErrorKind::config,
                "a service principal with a certificate (AZURE_CLIENT_CERTIFICATE_PATH) cannot be "
                "used",
                "Set AZURE_CLIENT_SECRET, or use a workload identity.");
  }
  if (!tenant || !client || (!secret && !file)) return std::nullopt;
  const std::string authority = without_last_slash(
      environment_("AZURE_AUTHORITY_HOST").value_or("https://login.microsoftonline.com"));
  QueryParameters form = {{"client_id", *client},
                          {"grant_type", "client_credentials"},
                          {"scope", std::string(kStorageResource) + ".default"}};
  if (secret) {
    form.emplace_back("client_secret", *secret);
  } else {
    form.emplace_back("client_assertion_type",
                      "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    form.emplace_back("client_assertion",
                      std::string(strip(read_file(*file, kMaxIdentityFile, Links::follow))));
  }
  return post_form(fmt::format("{}/{}/oauth2/v2.0/token", authority, *tenant), form);
}

std::optional<AccessToken> AzureKeys::ask_managed_identity(Reasons& reasons) const {
  QueryParameters query = {{"resource", kStorageResource}};
  if (const auto client = environment_("AZURE_CLIENT_ID")) query.emplace_back("client_id", *client);
  HttpRequest request{.time_limit = kIdentityLimit, .route = HttpRequest::Route::direct};
  const auto endpoint = environment_("IDENTITY_ENDPOINT");
  const auto header = environment_("IDENTITY_HEADER");
  if (endpoint && header) {
    query.emplace_back("api-version", "2019-08-01");
    request.url = fmt::format("{}?{}", *endpoint, query_text(query));
    request.headers = {{"X-IDENTITY-HEADER", *header}};
  } else {
    query.emplace_back("api-version", "2018-02-01");
    const std::string host = without_last_slash(
        environment_("AZURE_POD_IDENTITY_AUTHORITY_HOST").value_or("http://169.254.169.254"));
    request.url = fmt::format("{}/metadata/identity/oauth2/token?{}", host, query_text(query));
    request.headers = {{"Metadata", "true"}};
  }
  const HttpAnswer answer = http_.send(request);
  auto token = answer.is_success() ? parse_access_token(answer.body, clock_.now()) : std::nullopt;
  if (!token) {
    reasons.push_back(fmt::format(
        "managed identity: {}",
        answer.is_whole() ? fmt::format("HTTP status {}", answer.status) : answer.failure_text));
  }
  return token;
}

std::optional<AccessToken> AzureKeys::ask_cli(Reasons& reasons) const {
  ProcessResult result;
  // Where there is no CLI, it has no token either.
  try {
    result = run_process({.argv = {"az", "account", "get-access-token", "--output", "json",
                                   "--resource", kStorageResource},
                          .environment = {},
                          .standard_input = ""});
  } catch (const SystemError& error) {
    reasons.push_back("azure-cli: " + error.message());
    return std::nullopt;
  }
  auto token = result.exit_code == 0 ? parse_access_token(result.standard_output, clock_.now())
                                     : std::nullopt;
  if (!token) {
    const std::string text(strip(result.standard_error));
    reasons.push_back(fmt::format("azure-cli: exit code {}: {}", result.exit_code,
                                  text.substr(0, text.find('\n'))));
  }
  return token;
}

}  // namespace barman::object_store
