#include "object_store/aws_credentials.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/process.h"
#include "base/retry.h"
#include "base/text.h"
#include "object_store/aws_sso.h"
#include "object_store/wire_text.h"

namespace barman::object_store {
namespace {

// Before their end, keys are fetched anew.
constexpr std::int64_t kRefreshAheadSeconds = 300;
// Roles that assume roles.
constexpr int kMaxRoles = 5;
constexpr std::chrono::seconds kMetadataLimit{2};
constexpr std::chrono::seconds kTokenServiceLimit{30};
constexpr std::chrono::milliseconds kTokenServicePause{200};
constexpr std::string_view kComponent = "barman.cloud";
constexpr std::size_t kMaxTokenSize = std::size_t{64} << 10;

std::optional<SessionKeys> keys_of(const std::map<std::string, std::string>& settings) {
  const auto value = [&](const std::string& key) {
    const auto found = settings.find(key);
    return found == settings.end() ? std::string() : found->second;
  };
  AwsKeys keys{.access_key = value("aws_access_key_id"),
               .secret_key = value("aws_secret_access_key"),
               .session_token = value("aws_session_token")};
  if (keys.access_key.empty()) return std::nullopt;
  if (keys.secret_key.empty()) {
    throw Error(ErrorKind::config,
                "Partial credentials found in the shared files of AWS, missing: "
                "aws_secret_access_key");
  }
  return SessionKeys{.keys = std::move(keys), .expires = std::nullopt};
}

std::string text_at(const nlohmann::json& document, const char* name) {
  const auto found = document.find(name);
  return found != document.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::string role_session_name(const std::string& configured, Timestamp now) {
  return configured.empty() ? fmt::format("barman-{}", now.seconds()) : configured;
}

// Credentials may go in clear text to this host, and to where ECS and EKS have their agents.
bool is_agent_address(std::string_view url) {
  if (url.starts_with("https://")) return true;
  constexpr std::string_view kHttp = "http://";
  if (!url.starts_with(kHttp)) return false;
  const std::string_view rest = url.substr(kHttp.size());
  const std::string_view host = rest.starts_with('[') ? rest.substr(0, rest.find(']') + 1)
                                                      : rest.substr(0, rest.find_first_of(":/?#"));
  constexpr std::array<std::string_view, 6> kAgents = {
      "127.0.0.1", "localhost", "[::1]", "169.254.170.2", "169.254.170.23", "[fd00:ec2::23]"};
  return std::ranges::find(kAgents, host) != kAgents.end();
}

// Of the service that gives keys for roles. What it refuses, it refuses the next time, too: the
// user has to change something first.
[[noreturn]] void throw_no_keys(const std::string& url, const HttpAnswer& answer) {
  if (!answer.is_whole()) {
    throw Error(ErrorKind::connection,
                fmt::format("cannot ask \"{}\" for keys: {}", url, answer.failure_text));
  }
  constexpr std::array<int, 2> kPassing = {408, 429};
  const auto error = find_aws_error(answer.body);
  const bool is_refusal = answer.status >= 400 && answer.status < 500 &&
                          std::ranges::find(kPassing, answer.status) == kPassing.end() &&
                          !(error && error->code == "Throttling");
  throw Error(is_refusal ? ErrorKind::permission : ErrorKind::remote,
              fmt::format("\"{}\" gives no keys: {}: {}", url, error ? error->code : "",
                          error ? error->message : fmt::format("HTTP status {}", answer.status)),
              "Look at the role and at who may assume it.");
}

}  // namespace

std::optional<SessionKeys> parse_json_keys(const std::string& text) {
  const nlohmann::json document = nlohmann::json::parse(text, nullptr, false);
  if (!document.is_object()) return std::nullopt;
  SessionKeys session{.keys = {.access_key = text_at(document, "AccessKeyId"),
                               .secret_key = text_at(document, "SecretAccessKey"),
                               .session_token = text_at(document, "Token")},
                      .expires = std::nullopt};
  if (session.keys.session_token.empty()) {
    session.keys.session_token = text_at(document, "SessionToken");
  }
  if (session.keys.access_key.empty() || session.keys.secret_key.empty()) return std::nullopt;
  const std::string expiration = text_at(document, "Expiration");
  if (!expiration.empty()) {
    const auto time = parse_timestamp(expiration);
    if (!time) return std::nullopt;
    session.expires = time->time;
  }
  return session;
}

AwsCredentialChain::AwsCredentialChain(const AwsSettings& settings, const HttpClient& http,
                                       WallClock clock)
    : settings_(settings), http_(http), clock_(std::move(clock)) {}

AwsKeys AwsCredentialChain::keys() {
  const std::lock_guard lock(mutex_);
  const bool is_old = session_ && session_->expires &&
                      session_->expires->seconds() - clock_.now().seconds() < kRefreshAheadSeconds;
  if (!session_ || is_old) session_ = find();
  return session_->keys;
}

bool AwsCredentialChain::forget() {
  const std::lock_guard lock(mutex_);
  if (!session_ || session_->keys.session_token.empty()) return false;
  session_.reset();
  return true;
}

SessionKeys AwsCredentialChain::find() const {
  if (!settings_.is_profile_given) {
    if (auto found = find_in_environment()) return *found;
  }
  if (auto found = find_for(settings_.profile, 0)) return *found;
  if (auto found = find_in_old_files()) return *found;
  if (auto found = find_in_container()) return *found;
  if (auto found = find_in_metadata()) return *found;
  throw Error(ErrorKind::config, "Unable to locate credentials",
              "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or write a profile into "
              "~/.aws/credentials.");
}

// What belongs to a profile.
std::optional<SessionKeys> AwsCredentialChain::find_for(const AwsProfile& profile,
                                                        int depth) const {
  if (auto found = find_by_role(profile, depth)) return found;
  if (auto found = find_by_web_identity(profile)) return found;
  if (auto found = find_sso_keys(settings_, profile, http_, clock_.now())) return found;
  if (auto found = keys_of(profile.credentials)) return found;
  if (auto found = find_by_program(profile)) return found;
  return keys_of(profile.config);
}

std::optional<SessionKeys> AwsCredentialChain::find_in_environment() const {
  AwsKeys keys{.access_key = settings_.variable("AWS_ACCESS_KEY_ID"),
               .secret_key = settings_.variable("AWS_SECRET_ACCESS_KEY"),
               .session_token = settings_.variable("AWS_SESSION_TOKEN")};
  if (keys.session_token.empty()) keys.session_token = settings_.variable("AWS_SECURITY_TOKEN");
  if (keys.access_key.empty()) return std::nullopt;
  if (keys.secret_key.empty()) {
    throw Error(ErrorKind::config,
                "Partial credentials found in env, missing: AWS_SECRET_ACCESS_KEY");
  }
  return SessionKeys{.keys = std::move(keys), .expires = std::nullopt};
}

std::optional<SessionKeys> AwsCredentialChain::find_by_role(const AwsProfile& profile,
                                                            int depth) const {
  const std::string role = profile.setting("role_arn");
  if (role.empty() || !profile.setting("web_identity_token_file").empty()) return std::nullopt;
  if (depth >= kMaxRoles) {
    throw Error(ErrorKind::config,
                fmt::format("the AWS profile \"{}\" assumes more than {} roles in a row",
                            settings_.profile.name, kMaxRoles),
                "Look for profiles that name each other as source_profile.");
  }
  if (!profile.setting("mfa_serial").empty()) {
    throw Error(
        ErrorKind::config,
        fmt::format("the AWS profile \"{}\" asks for a second factor (mfa_serial)", profile.name),
        "Backups run unattended: use a profile without it.");
  }
  const SessionKeys source = source_keys(profile, depth);
  QueryParameters form = {
      {"Action", "AssumeRole"},
      {"Version", "2011-06-15"},
      {"RoleArn", role},
      {"RoleSessionName", role_session_name(profile.setting("role_session_name"), clock_.now())}};
  if (const std::string id = profile.setting("external_id"); !id.empty()) {
    form.emplace_back("ExternalId", id);
  }
  if (const std::string time = profile.setting("duration_seconds"); !time.empty()) {
    form.emplace_back("DurationSeconds", time);
  }
  return ask_sts(form, &source.keys);
}

// Of the profile or the place that a role is assumed from.
SessionKeys AwsCredentialChain::source_keys(const AwsProfile& profile, int depth) const {
  std::optional<SessionKeys> found;
  const std::string source = profile.setting("source_profile");
  const std::string place = profile.setting("credential_source");
  if (!source.empty()) {
    const auto source_profile = settings_.find_profile(source);
    if (!source_profile) {
      throw Error(ErrorKind::config,
                  fmt::format("The config profile ({}) could not be found", source),
                  fmt::format("It is the source_profile of \"{}\".", profile.name));
    }
    // A profile may hold a role, and the keys that it is assumed with.
    found = source == profile.name ? keys_of(source_profile->credentials)
                                   : find_for(*source_profile, depth + 1);
  } else if (place == "Environment") {
    found = find_in_environment();
  } else if (place == "EcsContainer") {
    found = find_in_container();
  } else if (place == "Ec2InstanceMetadata") {
    found = find_in_metadata();
  }
  if (found) return *found;
  throw Error(ErrorKind::config,
              fmt::format("the AWS profile \"{}\" assumes a role, but there are no keys to do it "
                          "with",
                          profile.name),
              "Set source_profile or credential_source in ~/.aws/config.");
}

std::optional<SessionKeys> AwsCredentialChain::find_by_web_identity(
    const AwsProfile& profile) const {
  const auto either = [&](const std::string& variable, const std::string& key) {
    const std::string value = settings_.is_profile_given ? "" : settings_.variable(variable);
    return value.empty() ? profile.setting(key) : value;
  };
  const std::string file = either("AWS_WEB_IDENTITY_TOKEN_FILE", "web_identity_token_file");
  const std::string role = either("AWS_ROLE_ARN", "role_arn");
  if (file.empty()) return std::nullopt;
  if (role.empty()) {
    throw Error(ErrorKind::config, "AWS_WEB_IDENTITY_TOKEN_FILE is set, but not AWS_ROLE_ARN",
                "Set the role that the token stands for.");
  }
  const std::string token(strip(read_file(file, kMaxTokenSize, Links::follow)));
  return ask_sts(
      {{"Action", "AssumeRoleWithWebIdentity"},
       {"Version", "2011-06-15"},
       {"RoleArn", role},
       {"RoleSessionName",
        role_session_name(either("AWS_ROLE_SESSION_NAME", "role_session_name"), clock_.now())},
       {"WebIdentityToken", token}},
      nullptr);
}

std::optional<SessionKeys> AwsCredentialChain::find_by_program(const AwsProfile& profile) const {
  std::string command = profile.credential("credential_process");
  if (command.empty()) command = profile.setting("credential_process");
  if (command.empty()) return std::nullopt;
  const ProcessResult result =
      run_process({.argv = shell_command(command), .environment = {}, .standard_input = ""});
  const std::string name =
      fmt::format("the credential_process of the AWS profile \"{}\"", profile.name);
  if (result.exit_code != 0) {
    throw Error(ErrorKind::config, fmt::format("{} fails with exit code {}: {}", name,
                                               result.exit_code, strip(result.standard_error)));
  }
  auto session = parse_json_keys(result.standard_output);
  if (!session) {
    throw Error(ErrorKind::config, name + " prints no keys",
                "It has to print JSON with AccessKeyId and SecretAccessKey.");
  }
  return session;
}

std::optional<SessionKeys> AwsCredentialChain::find_in_old_files() const {
  if (const std::string path = settings_.variable("AWS_CREDENTIAL_FILE"); !path.empty()) {
    if (const auto text = find_and_read_file(path, kMaxTokenSize, Links::follow)) {
      // Without sections.
      const AwsSections sections = parse_aws_file("[-]\n" + *text);
      AwsProfile old{.name = path, .config = sections.at("-")};
      AwsKeys keys{.access_key = old.setting("awsaccesskeyid"),
                   .secret_key = old.setting("awssecretkey")};
      if (!keys.access_key.empty()) return SessionKeys{.keys = keys, .expires = std::nullopt};
    }
  }
  std::vector<std::string> files = {"/etc/boto.cfg", settings_.variable("HOME") + "/.boto"};
  if (const std::string named = settings_.variable("BOTO_CONFIG"); !named.empty()) files = {named};
  for (const std::string& path : files) {
    const auto text = find_and_read_file(path, kMaxTokenSize, Links::follow);
    if (!text) continue;
    const AwsSections sections = parse_aws_file(*text);
    const auto section = sections.find("Credentials");
    if (section == sections.end()) continue;
    if (auto found = keys_of(section->second)) return found;
  }
  return std::nullopt;
}

std::optional<SessionKeys> AwsCredentialChain::find_in_container() const {
  std::string url = settings_.variable("AWS_CONTAINER_CREDENTIALS_FULL_URI");
  if (const std::string path = settings_.variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
      !path.empty()) {
    url = "http://169.254.170.2" + path;
  }
  if (url.empty()) return std::nullopt;
  if (!is_agent_address(url)) {
    throw Error(ErrorKind::config,
                fmt::format("AWS_CONTAINER_CREDENTIALS_FULL_URI is \"{}\", which is neither https "
                            "nor an agent of this host",
                            url));
  }
  HttpRequest request{
      .url = url, .time_limit = kMetadataLimit, .route = HttpRequest::Route::direct};
  std::string token = settings_.variable("AWS_CONTAINER_AUTHORIZATION_TOKEN");
  if (const std::string file = settings_.variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
      !file.empty()) {
    token = strip(read_file(file, kMaxTokenSize, Links::follow));
  }
  if (!token.empty()) request.headers.emplace_back("Authorization", token);
  const HttpAnswer answer = http_.send(request);
  auto session = answer.is_success() ? parse_json_keys(answer.body) : std::nullopt;
  if (!session) {
    throw Error(ErrorKind::connection,
                fmt::format("the agent of this container at \"{}\" tells no credentials: {}", url,
                            answer.is_whole() ? fmt::format("HTTP status {}", answer.status)
                                              : answer.failure_text));
  }
  return session;
}

std::optional<SessionKeys> AwsCredentialChain::find_in_metadata() const {
  if (to_lower(settings_.variable("AWS_EC2_METADATA_DISABLED")) == "true") return std::nullopt;
  std::string base = settings_.variable("AWS_EC2_METADATA_SERVICE_ENDPOINT");
  if (base.empty()) base = "http://169.254.169.254";
  while (base.ends_with('/')) base.pop_back();
  // IMDSv2 only: what answers without a token may be somebody else.
  const HttpAnswer token =
      http_.send({.method = "PUT",
                  .url = base + "/latest/api/token",
                  .headers = {{"x-aws-ec2-metadata-token-ttl-seconds", "21600"}},
                  .time_limit = kMetadataLimit,
                  .route = HttpRequest::Route::direct});
  if (!token.is_success()) {
    log::debug(kComponent, "no metadata of EC2 at {}: {}", base, token.failure_text);
    return std::nullopt;
  }
  const auto ask = [&](const std::string& path) {
    return http_.send({.url = base + path,
                       .headers = {{"x-aws-ec2-metadata-token", token.body}},
                       .time_limit = kMetadataLimit,
                       .route = HttpRequest::Route::direct});
  };
  const std::string directory = "/latest/meta-data/iam/security-credentials/";
  const HttpAnswer role = ask(directory);
  if (!role.is_success()) return std::nullopt;
  const std::string name(strip(role.body.substr(0, role.body.find('\n'))));
  const HttpAnswer answer = ask(directory + name);
  return answer.is_success() ? parse_json_keys(answer.body) : std::nullopt;
}

SessionKeys AwsCredentialChain::ask_sts(const QueryParameters& form, const AwsKeys* keys) const {
  const std::string region = settings_.region.empty() ? "us-east-1" : settings_.region;
  std::string url = settings_.variable("AWS_ENDPOINT_URL_STS");
  if (url.empty()) url = settings_.variable("AWS_ENDPOINT_URL");
  if (url.empty()) {
    url = fmt::format("https://sts.{}.amazonaws.com{}", region,
                      region.starts_with("cn-") ? ".cn" : "");
  }
  while (url.ends_with('/')) url.pop_back();
  const std::string body = query_text(form);
  HttpHeaders headers = {{"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"}};
  if (keys != nullptr) {
    const std::string host = url.substr(url.find("://") + 3);
    headers = sign_aws_request({.method = "POST",
                                .host = host,
                                .encoded_path = "/",
                                .headers = headers,
                                .payload_hash = hex(sha256(as_bytes(body)))},
                               *keys, {.region = region, .service = "sts"}, clock_.now());
  }
  const HttpRequest request{.method = "POST",
                            .url = url + "/",
                            .headers = headers,
                            .body = as_bytes(body),
                            .time_limit = kTokenServiceLimit};
  const RetryRules rules{.times = settings_.max_attempts - std::int64_t{1},
                         .pause = kTokenServicePause};
  return retry(
      rules, http_.settings().interrupt,
      [&] {
        const HttpAnswer answer = http_.send(request);
        if (!answer.is_success()) throw_no_keys(url, answer);
        return parse_session_keys(answer.body);
      },
      [](const Error& error, std::int64_t attempt) {
        log::debug(kComponent, "attempt {} has failed: {}", attempt + 1, error.describe());
      });
}

}  // namespace barman::object_store
