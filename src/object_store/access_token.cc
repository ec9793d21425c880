#include "object_store/access_token.h"

#include <nlohmann/json.hpp>

#include "base/text.h"

namespace barman::object_store {

std::optional<AccessToken> parse_access_token(const std::string& text, Timestamp now) {
  const nlohmann::json document = nlohmann::json::parse(text, nullptr, false);
  if (!document.is_object()) return std::nullopt;
  const auto text_of_member = [&](const char* name) {
    const auto found = document.find(name);
    if (found == document.end()) return std::string();
    return found->is_string() ? found->get<std::string>() : found->dump();
  };
  AccessToken result{.token = text_of_member("access_token"), .expires = std::nullopt};
  if (result.token.empty()) result.token = text_of_member("accessToken");
  if (result.token.empty() || result.token.find_first_of("\r\n") != std::string::npos) {
    return std::nullopt;
  }
  constexpr std::int64_t kMicroseconds = 1'000'000;
  constexpr std::int64_t kLatest = std::int64_t{253'402'300'799};  // the year 9999
  if (const auto seconds = parse_integer(text_of_member("expires_on"));
      seconds && *seconds > 0 && *seconds < kLatest) {
    result.expires = Timestamp{.microseconds = *seconds * kMicroseconds};
  } else if (const auto left = parse_integer(text_of_member("expires_in"));
             left && *left >= 0 && *left < kLatest) {
    result.expires = Timestamp{.microseconds = now.microseconds + *left * kMicroseconds};
  } else if (const auto time = parse_timestamp(text_of_member("expireTime"))) {
    result.expires = time->time;
  }
  return result;
}

}  // namespace barman::object_store
