#include "object_store/google_keys.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <chrono>
#include <memory>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"
#include "object_store/aws_signature.h"
#include "object_store/wire_text.h"

namespace barman::object_store {
namespace {

constexpr std::int64_t kGoogleReserveSeconds = 300;
constexpr std::int64_t kAssertionSeconds = 3600;
constexpr std::chrono::seconds kGoogleLimit{30};
constexpr std::chrono::seconds kGoogleMetadataLimit{3};
constexpr std::size_t kMaxAccountFile = std::size_t{1} << 20;
constexpr const char* kStorageScope = "https://www.googleapis.com/auth/devstorage.full_control";
constexpr const char* kPlatformScope = "https://www.googleapis.com/auth/cloud-platform";
constexpr const char* kTokenUrl = "https://oauth2.googleapis.com/token";
constexpr const char* kFormType = "application/x-www-form-urlencoded";

std::string member(const nlohmann::json& document, const char* name) {
  if (!document.is_object()) return {};
  const auto found = document.find(name);
  return found != document.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// base64 of URLs, without padding.
std::string url_base64(const std::string& bytes) {
  std::string text = base64(bytes);
  while (text.ends_with('=')) text.pop_back();
  return replace_all(replace_all(text, "+", "-"), "/", "_");
}

struct KeyDeleter {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
struct DigestContextDeleter {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
struct BioDeleter {
  void operator()(BIO* bio) const { BIO_free(bio); }
};

// RS256.
std::string rsa_signature(const std::string& pem, const std::string& text) {
  const Error unusable(ErrorKind::config, "the private key of the service account cannot be used",
                       "Create another key of the account, as JSON.");
  const std::unique_ptr<BIO, BioDeleter> bio(
      BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  if (bio == nullptr) throw unusable;
  const std::unique_ptr<EVP_PKEY, KeyDeleter> key(
      PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
  const std::unique_ptr<EVP_MD_CTX, DigestContextDeleter> context(EVP_MD_CTX_new());
  if (key == nullptr || context == nullptr ||
      EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key.get()) != 1) {
    throw unusable;
  }
  const auto* const data = reinterpret_cast<const unsigned char*>(text.data());
  std::size_t size = 0;
  if (EVP_DigestSign(context.get(), nullptr, &size, data, text.size()) != 1) throw unusable;
  std::string signature(size, '\0');
  if (EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size, data,
                     text.size()) != 1) {
    throw unusable;
  }
  signature.resize(size);
  return signature;
}

void read_subject_source(const nlohmann::json& source, GoogleAccount& account) {
  account.subject_file = member(source, "file");
  account.subject_url = member(source, "url");
  if (!source.is_object()) return;
  if (const auto headers = source.find("headers"); headers != source.end()) {
    for (const auto& [name, value] : headers->items()) {
      if (value.is_string()) account.subject_headers.emplace_back(name, value.get<std::string>());
    }
  }
  const auto format = source.find("format");
  if (format == source.end() || member(*format, "type") != "json") return;
  account.subject_member = member(*format, "subject_token_field_name");
}

}  // namespace

GoogleAccount parse_google_account(const std::string& text, const std::string& path) {
  const nlohmann::json document = nlohmann::json::parse(text, nullptr, false);
  GoogleAccount account{.type = member(document, "type"),
                        .client_email = member(document, "client_email"),
                        .private_key = member(document, "private_key"),
                        .private_key_id = member(document, "private_key_id"),
                        .token_url = member(document, "token_uri"),
                        .client_id = member(document, "client_id"),
                        .client_secret = member(document, "client_secret"),
                        .refresh_token = member(document, "refresh_token"),
                        .audience = member(document, "audience"),
                        .subject_token_type = member(document, "subject_token_type"),
                        .impersonation_url = member(document, "service_account_impersonation_url"),
                        .quota_project = member(document, "quota_project_id"),
                        .project = member(document, "project_id")};
  if (account.token_url.empty()) account.token_url = member(document, "token_url");
  if (account.token_url.empty()) account.token_url = kTokenUrl;
  if (document.is_object() && document.contains("credential_source")) {
    read_subject_source(document["credential_source"], account);
  }
  const bool is_usable = (account.type == "service_account" && !account.client_email.empty() &&
                          !account.private_key.empty()) ||
                         (account.type == "authorized_user" && !account.refresh_token.empty()) ||
                         (account.type == "external_account" &&
                          !(account.subject_file.empty() && account.subject_url.empty()));
  if (!is_usable) {
    throw Error(
        ErrorKind::config,
        fmt::format("\"{}\" has no credentials of Google Cloud that can be used", path),
        "Use the key of a service account as JSON, or a workload identity with a file or a URL.");
  }
  return account;
}

std::string google_assertion(const GoogleAccount& account, Timestamp now) {
  const nlohmann::json header = {{"alg", "RS256"}, {"typ", "JWT"}, {"kid", account.private_key_id}};
  const nlohmann::json claims = {{"iss", account.client_email},
                                 {"scope", kStorageScope},
                                 {"aud", account.token_url},
                                 {"iat", now.seconds()},
                                 {"exp", now.seconds() + kAssertionSeconds}};
  const std::string text = url_base64(header.dump()) + "." + url_base64(claims.dump());
  return text + "." + url_base64(rsa_signature(account.private_key, text));
}

GoogleKeys::GoogleKeys(const StoreOptions& options, const HttpClient& http, WallClock clock)
    : environment_(environment_of(options)), http_(http), clock_(std::move(clock)) {
  if (environment_("STORAGE_EMULATOR_HOST")) return;
  std::string path = environment_("GOOGLE_APPLICATION_CREDENTIALS").value_or("");
  std::optional<std::string> text;
  if (!path.empty()) {
    text = read_file(path, kMaxAccountFile, Links::follow);
  } else {
    path =
        environment_("HOME").value_or("") + "/.config/gcloud/application_default_credentials.json";
    text = find_and_read_file(path, kMaxAccountFile, Links::follow);
  }
  if (!text) return;
  account_ = parse_google_account(*text, path);
  quota_project_ = account_->quota_project;
}

std::string GoogleKeys::token() {
  if (environment_("STORAGE_EMULATOR_HOST")) return {};
  const std::lock_guard lock(mutex_);
  const bool is_old = token_ && token_->expires &&
                      token_->expires->seconds() - clock_.now().seconds() < kGoogleReserveSeconds;
  if (!token_ || is_old) token_ = find_token();
  return token_->token;
}

std::string GoogleKeys::project() const {
  if (const auto named = environment_("GOOGLE_CLOUD_PROJECT")) return *named;
  return account_ ? account_->project : "";
}

bool GoogleKeys::forget() {
  const std::lock_guard lock(mutex_);
  const bool had_one = token_.has_value();
  token_.reset();
  return had_one;
}

AccessToken GoogleKeys::find_token() const {
  if (account_) return ask_for_account(*account_);
  if (auto token = ask_metadata()) return *token;
  throw Error(ErrorKind::config, "Your default credentials were not found.",
              "Let GOOGLE_APPLICATION_CREDENTIALS name the key of a service account.");
}

AccessToken GoogleKeys::ask_for_account(const GoogleAccount& account) const {
  if (account.type == "service_account") {
    const std::string body =
        query_text({{"grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"},
                    {"assertion", google_assertion(account, clock_.now())}});
    return post(account.token_url, body, kFormType, "");
  }
  if (account.type == "authorized_user") {
    const std::string body = query_text({{"grant_type", "refresh_token"},
                                         {"client_id", account.client_id},
                                         {"client_secret", account.client_secret},
                                         {"refresh_token", account.refresh_token}});
    return post(account.token_url, body, kFormType, "");
  }
  const std::string subject = subject_token(account);
  const bool is_last = account.impersonation_url.empty();
  const std::string body =
      query_text({{"grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"},
                  {"audience", account.audience},
                  {"scope", is_last ? kStorageScope : kPlatformScope},
                  {"requested_token_type", "urn:ietf:params:oauth:token-type:access_token"},
                  {"subject_token_type", account.subject_token_type},
                  {"subject_token", subject}});
  const AccessToken token = post(account.token_url, body, kFormType, "");
  return is_last ? token : impersonate(account, token);
}

// What proves to Google who this is elsewhere: of Kubernetes a file, of Azure an answer.
std::string GoogleKeys::subject_token(const GoogleAccount& account) const {
  const bool is_file = !account.subject_file.empty();
  const std::string& source = is_file ? account.subject_file : account.subject_url;
  std::string text;
  if (is_file) {
    text = read_file(source, kMaxAccountFile, Links::follow);
  } else {
    const HttpAnswer answer = http_.send({.url = source,
                                          .headers = account.subject_headers,
                                          .time_limit = kGoogleLimit,
                                          .route = HttpRequest::Route::direct});
    if (!answer.is_success()) {
      throw Error(answer.is_whole() ? ErrorKind::permission : ErrorKind::connection,
                  fmt::format("\"{}\" gives no token: {}", source,
                              answer.is_whole() ? fmt::format("HTTP status {}", answer.status)
                                                : answer.failure_text),
                  "Look at credential_source in the file of credentials.");
    }
    text = answer.body;
  }
  if (account.subject_member.empty()) return std::string(strip(text));
  std::string token =
      member(nlohmann::json::parse(text, nullptr, false), account.subject_member.c_str());
  if (!token.empty()) return token;
  throw Error(ErrorKind::config,
              fmt::format("\"{}\" has no \"{}\"", source, account.subject_member),
              "Correct subject_token_field_name in the file of credentials.");
}

AccessToken GoogleKeys::impersonate(const GoogleAccount& account, const AccessToken& token) const {
  const std::string body = nlohmann::json{{"scope", {kStorageScope}}}.dump();
  return post(account.impersonation_url, body, "application/json", token.token);
}

std::optional<AccessToken> GoogleKeys::ask_metadata() const {
  const std::string host = environment_("GCE_METADATA_HOST").value_or("metadata.google.internal");
  const HttpAnswer answer =
      http_.send({.url = fmt::format(
                      "http://{}/computeMetadata/v1/instance/service-accounts/default/token", host),
                  .headers = {{"Metadata-Flavor", "Google"}},
                  .time_limit = kGoogleMetadataLimit,
                  .route = HttpRequest::Route::direct});
  if (!answer.is_success() || answer.header("metadata-flavor") != "Google") return std::nullopt;
  return parse_access_token(answer.body, clock_.now());
}

AccessToken GoogleKeys::post(const std::string& url, const std::string& body,
                             const std::string& type, const std::string& bearer) const {
  HttpRequest request{.method = "POST",
                      .url = url,
                      .headers = {{"Content-Type", type}},
                      .body = as_bytes(body),
                      .time_limit = kGoogleLimit};
  if (!bearer.empty()) request.headers.emplace_back("Authorization", "Bearer " + bearer);
  const HttpAnswer answer = http_.send(request);
  const auto token =
      answer.is_success() ? parse_access_token(answer.body, clock_.now()) : std::nullopt;
  if (token) return *token;
  throw Error(answer.is_whole() ? ErrorKind::permission : ErrorKind::connection,
              fmt::format("\"{}\" gives no token: {}", url,
                          answer.is_whole() ? fmt::format("HTTP status {}", answer.status)
                                            : answer.failure_text),
              "Look at the file of credentials, at the account, and at the clock of this host.");
}

}  // namespace barman::object_store
