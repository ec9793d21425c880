#include "object_store/aws_sso.h"

#include <chrono>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"
#include "object_store/wire_text.h"

namespace barman::object_store {
namespace {

constexpr std::chrono::seconds kPortalLimit{30};
constexpr std::size_t kMaxSsoFile = std::size_t{64} << 10;

std::string sso_member(const nlohmann::json& document, const char* name) {
  if (!document.is_object()) return {};
  const auto found = document.find(name);
  return found != document.end() && found->is_string() ? found->get<std::string>() : std::string();
}

struct SsoPlace {
  std::string start_url;
  std::string region;
  std::string cache_name;  // what the token's file is named after
};

std::optional<SsoPlace> find_place(const AwsSettings& settings, const AwsProfile& profile) {
  const std::string session = profile.setting("sso_session");
  SsoPlace place{.start_url = profile.setting("sso_start_url"),
                 .region = profile.setting("sso_region"),
                 .cache_name = session};
  if (session.empty()) {
    if (place.start_url.empty()) return std::nullopt;
    place.cache_name = place.start_url;
    return place;
  }
  const auto section = settings.config_file.find("sso-session " + session);
  if (section == settings.config_file.end()) {
    throw Error(ErrorKind::config,
                fmt::format("the AWS profile \"{}\" signs in with the session \"{}\", which does "
                            "not exist",
                            profile.name, session),
                "Look at ~/.aws/config.");
  }
  const AwsProfile shared{.name = session, .credentials = {}, .config = section->second};
  if (place.start_url.empty()) place.start_url = shared.setting("sso_start_url");
  if (place.region.empty()) place.region = shared.setting("sso_region");
  return place;
}

std::string read_sso_token(const AwsSettings& settings, const AwsProfile& profile,
                           const SsoPlace& place, Timestamp now) {
  const std::string path = fmt::format("{}/.aws/sso/cache/{}.json", settings.variable("HOME"),
                                       hex(sha1(as_bytes(place.cache_name))));
  const auto text = find_and_read_file(path, kMaxSsoFile, Links::follow);
  const nlohmann::json document =
      text ? nlohmann::json::parse(*text, nullptr, false) : nlohmann::json();
  std::string token = sso_member(document, "accessToken");
  const auto end = parse_timestamp(sso_member(document, "expiresAt"));
  const bool is_over = end && end->time <= now;
  if (token.empty() || !end || is_over) {
    throw Error(ErrorKind::config,
                fmt::format("the AWS profile \"{}\" signs in through a browser (SSO), and \"{}\" "
                            "{}",
                            profile.name, path, is_over ? "is over" : "holds no token"),
                fmt::format("Run aws sso login --profile {}; for backups that nobody attends use "
                            "a role or keys.",
                            profile.name));
  }
  return token;
}

}  // namespace

std::optional<SessionKeys> parse_sso_keys(const std::string& text) {
  const nlohmann::json document = nlohmann::json::parse(text, nullptr, false);
  if (!document.is_object() || !document.contains("roleCredentials")) return std::nullopt;
  const nlohmann::json& keys = document["roleCredentials"];
  SessionKeys session{.keys = {.access_key = sso_member(keys, "accessKeyId"),
                               .secret_key = sso_member(keys, "secretAccessKey"),
                               .session_token = sso_member(keys, "sessionToken")},
                      .expires = std::nullopt};
  if (session.keys.access_key.empty() || session.keys.secret_key.empty()) return std::nullopt;
  constexpr std::int64_t kLatest = std::int64_t{253'402'300'799'000};  // the year 9999
  if (const auto end = keys.find("expiration"); end != keys.end() && end->is_number_integer()) {
    const auto milliseconds = end->get<std::int64_t>();
    if (milliseconds <= 0 || milliseconds > kLatest) return std::nullopt;
    session.expires = Timestamp{.microseconds = milliseconds * 1000};
  }
  return session;
}

std::optional<SessionKeys> find_sso_keys(const AwsSettings& settings, const AwsProfile& profile,
                                         const HttpClient& http, Timestamp now) {
  const auto place = find_place(settings, profile);
  if (!place) return std::nullopt;
  const std::string account = profile.setting("sso_account_id");
  const std::string role = profile.setting("sso_role_name");
  if (place->region.empty() || account.empty() || role.empty()) {
    throw Error(ErrorKind::config,
                fmt::format("the AWS profile \"{}\" signs in through a browser (SSO), but "
                            "sso_region, sso_account_id or sso_role_name is missing",
                            profile.name),
                "Run aws configure sso, or look at ~/.aws/config.");
  }
  const std::string token = read_sso_token(settings, profile, *place, now);
  std::string base = settings.variable("AWS_ENDPOINT_URL_SSO");
  if (base.empty()) base = fmt::format("https://portal.sso.{}.amazonaws.com", place->region);
  while (base.ends_with('/')) base.pop_back();
  const HttpAnswer answer =
      http.send({.url = fmt::format("{}/federation/credentials?{}", base,
                                    query_text({{"account_id", account}, {"role_name", role}})),
                 .headers = {{"x-amz-sso_bearer_token", token}},
                 .time_limit = kPortalLimit});
  auto session = answer.is_success() ? parse_sso_keys(answer.body) : std::nullopt;
  if (session) return session;
  if (!answer.is_whole()) {
    throw Error(ErrorKind::connection,
                fmt::format("cannot ask \"{}\" for keys: {}", base, answer.failure_text));
  }
  throw Error(ErrorKind::permission,
              fmt::format("\"{}\" gives no keys for the role \"{}\" of the account {}: HTTP status "
                          "{}",
                          base, role, account, answer.status),
              fmt::format("Run aws sso login --profile {}, and look at the role.", profile.name));
}

}  // namespace barman::object_store
