#include "base/secrets.h"

#include <algorithm>
#include <array>
#include <optional>

#include <fmt/format.h>

#include "base/redacted.h"
#include "base/text.h"

namespace barman {
namespace {

constexpr std::string_view kSpaceOrTab = " \t";

// Parts of names whose value is a secret, without the signs that join words.
constexpr std::array<std::string_view, 12> kSecretWords = {
    "password",  "passwd",     "passphrase", "token",      "secret",    "apikey",
    "accesskey", "accountkey", "privatekey", "credential", "signature", "pgpass"};
// Names that are secrets only as a whole.
constexpr std::array<std::string_view, 4> kSecretNames = {"sig", "pwd", "pass", "bearer"};

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-';
}

bool names_a_secret(std::string_view name) {
  std::string joined;
  for (const char c : to_lower(name)) {
    if (c != '_' && c != '-') joined.push_back(c);
  }
  // Files and commands are places of a secret, not the secret.
  for (const std::string_view place : {"file", "command", "path"}) {
    if (joined.ends_with(place)) return false;
  }
  return std::any_of(
             kSecretWords.begin(), kSecretWords.end(),
             [&](std::string_view word) { return joined.find(word) != std::string::npos; }) ||
         std::find(kSecretNames.begin(), kSecretNames.end(), joined) != kSecretNames.end();
}

// Where the value after a name begins: behind a sign, or behind a blank for options of command
// lines and "Bearer"; nullopt when no value follows.
std::optional<std::size_t> value_begin(std::string_view text, std::string_view name,
                                       std::size_t end) {
  std::size_t i = end;
  if (i < text.size() && (text[i] == '"' || text[i] == '\'')) ++i;  // "token": "x"
  i = std::min(text.find_first_not_of(kSpaceOrTab, i), text.size());
  if (i < text.size() && (text[i] == '=' || text[i] == ':')) {
    if (text.substr(i, 3) == "://") return std::nullopt;
    i = std::min(text.find_first_not_of(kSpaceOrTab, i + 1), text.size());
    return i < text.size() ? std::optional(i) : std::nullopt;
  }
  const bool takes_a_word = name.starts_with("--") || to_lower(name) == "bearer";
  return takes_a_word && i > end && i < text.size() ? std::optional(i) : std::nullopt;
}

// A word in quotes, or up to what ends a word in command lines, URLs and lists.
std::size_t value_end(std::string_view text, std::size_t begin) {
  const char quote = text[begin];
  if (quote == '"' || quote == '\'') {
    const std::size_t end = text.find(quote, begin + 1);
    return end == std::string_view::npos ? text.size() : end + 1;
  }
  return std::min(text.find_first_of(" \t\n\r&;,\"'", begin), text.size());
}

// The parameters of libpq 18 (documentation, 32.1.2) whose values are no secrets.
constexpr std::array<std::string_view, 47> kConninfoKeys = {"application_name",
                                                            "channel_binding",
                                                            "client_encoding",
                                                            "connect_timeout",
                                                            "dbname",
                                                            "fallback_application_name",
                                                            "gssdelegation",
                                                            "gssencmode",
                                                            "gsslib",
                                                            "host",
                                                            "hostaddr",
                                                            "keepalives",
                                                            "keepalives_count",
                                                            "keepalives_idle",
                                                            "keepalives_interval",
                                                            "krbsrvname",
                                                            "load_balance_hosts",
                                                            "max_protocol_version",
                                                            "min_protocol_version",
                                                            "options",
                                                            "passfile",
                                                            "port",
                                                            "replication",
                                                            "require_auth",
                                                            "requirepeer",
                                                            "requiressl",
                                                            "service",
                                                            "servicefile",
                                                            "ssl_max_protocol_version",
                                                            "ssl_min_protocol_version",
                                                            "sslcert",
                                                            "sslcertmode",
                                                            "sslcompression",
                                                            "sslcrl",
                                                            "sslcrldir",
                                                            "sslkey",
                                                            "sslkeylogfile",
                                                            "sslmode",
                                                            "sslnegotiation",
                                                            "sslrootcert",
                                                            "sslsni",
                                                            "target_session_attrs",
                                                            "tcp_user_timeout",
                                                            "tty",
                                                            "user",
                                                            "oauth_issuer",
                                                            "oauth_scope"};

bool is_conninfo_key(std::string_view word) {
  return std::find(kConninfoKeys.begin(), kConninfoKeys.end(), word) != kConninfoKeys.end();
}

// Where the value of a parameter ends that begins at `i`, by libpq's rules; npos when its quote
// does not end.
std::size_t conninfo_value_end(std::string_view text, std::size_t i) {
  constexpr std::string_view kSpace = " \t\n\r\f\v";
  if (i < text.size() && text[i] == '\'') {
    for (++i; i < text.size() && text[i] != '\''; ++i) {
      if (text[i] == '\\') ++i;
    }
    return i < text.size() ? i + 1 : std::string_view::npos;
  }
  while (i < text.size() && kSpace.find(text[i]) == std::string_view::npos) {
    i += text[i] == '\\' ? 2U : 1U;
  }
  return std::min(i, text.size());
}

// "key=value" words.
std::string mask_conninfo_words(std::string_view text) {
  constexpr std::string_view kSpace = " \t\n\r\f\v";
  std::string result;
  std::size_t i = 0;
  const auto copy_blanks = [&] {
    const std::size_t end = std::min(text.find_first_not_of(kSpace, i), text.size());
    result.append(text.substr(i, end - i));
    i = end;
  };
  for (copy_blanks(); i < text.size(); copy_blanks()) {
    const std::size_t end = std::min(text.find_first_of(" \t\n\r\f\v=", i), text.size());
    const std::string_view key = text.substr(i, end - i);
    const std::size_t sign = std::min(text.find_first_not_of(kSpace, end), text.size());
    i = end;
    if (sign == text.size() || text[sign] != '=') {
      result.append(is_conninfo_key(key) ? key : kRedacted);
      continue;
    }
    const std::size_t begin = std::min(text.find_first_not_of(kSpace, sign + 1), text.size());
    result.append(key).append(text.substr(end, begin - end));
    const std::size_t value = conninfo_value_end(text, begin);
    if (value == std::string_view::npos) return result.append(kRedacted);
    if (is_conninfo_key(key)) {
      result.append(text.substr(begin, value - begin));
    } else if (value > begin) {
      result.append(kRedacted);
    }
    i = value;
  }
  return result;
}

// "postgresql://user:password@host/name?key=value&...".
std::string mask_conninfo_uri(std::string_view text, std::size_t authority) {
  // A password may hold any sign but the last @ before the query ends it.
  const std::size_t query = std::min(text.find('?', authority), text.size());
  const std::size_t at = text.substr(0, query).rfind('@');
  std::string result;
  if (at != std::string_view::npos && at >= authority) {
    const std::size_t colon = text.find(':', authority);
    const bool has_password = colon < at;
    result.append(text.substr(0, has_password ? colon + 1 : at));
    if (has_password) result.append(kRedacted);
    result.append(text.substr(at, query - at));
  } else {
    result.append(text.substr(0, query));
  }
  std::size_t i = query;
  while (i < text.size()) {
    result.push_back(text[i++]);  // ? or &
    const std::size_t end = std::min(text.find('&', i), text.size());
    const std::string_view pair = text.substr(i, end - i);
    const std::size_t sign = pair.find('=');
    const std::string_view key = pair.substr(0, sign);
    if (is_conninfo_key(key) || key == "ssl") {
      result.append(pair);
    } else if (sign != std::string_view::npos) {
      result.append(key).append("=").append(kRedacted);
    } else {
      result.append(kRedacted);
    }
    i = end;
  }
  return result;
}

// How many bytes at `i` are a control character, 0 = none.
std::size_t control_length(std::string_view text, std::size_t i) {
  const auto byte = static_cast<unsigned char>(text[i]);
  if (byte == '\n' || byte == '\t') return 0;
  if (byte < 0x20 || byte == 0x7f) return 1;
  if (byte != 0xc2 || i + 1 == text.size()) return 0;
  const auto next = static_cast<unsigned char>(text[i + 1]);
  return next >= 0x80 && next < 0xa0 ? 2 : 0;
}

// The escape sequence of one of our own colours at `i`; empty = none.
std::string_view own_color(std::string_view text, std::size_t i) {
  for (const std::string_view color : {"\033[0m", "\033[31m", "\033[32m", "\033[33m"}) {
    if (text.substr(i).starts_with(color)) return color;
  }
  return {};
}

}  // namespace

std::string mask_secrets(std::string_view text) {
  const std::string without_passwords = mask_passwords(text);
  const std::string_view view = without_passwords;
  std::string result;
  std::size_t i = 0;
  while (i < view.size()) {
    if (!is_name_character(view[i])) {
      result.push_back(view[i++]);
      continue;
    }
    std::size_t end = i;
    while (end < view.size() && is_name_character(view[end])) ++end;
    const std::string_view name = view.substr(i, end - i);
    result.append(name);
    i = end;
    if (!names_a_secret(name)) continue;
    const std::optional<std::size_t> begin = value_begin(view, name, end);
    if (!begin) continue;
    result.append(view.substr(end, *begin - end));
    i = *begin;
    // "Authorization-Token: Bearer x": the word is no secret, what follows it is.
    if (to_lower(view.substr(i, 7)) == "bearer ") continue;
    result.append(kRedacted);
    i = view.substr(i).starts_with(kRedacted) ? i + kRedacted.size() : value_end(view, i);
  }
  return result;
}

std::string mask_conninfo(std::string_view conninfo) {
  for (const std::string_view scheme : {"postgresql://", "postgres://"}) {
    if (conninfo.starts_with(scheme)) return mask_conninfo_uri(conninfo, scheme.size());
  }
  return mask_conninfo_words(conninfo);
}

std::string visible_text(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = control_length(text, i);
    if (length == 0) {
      result.push_back(text[i++]);
    } else if (const std::string_view color = own_color(text, i); !color.empty()) {
      result.append(color);
      i += color.size();
    } else {
      result.append(fmt::format("\\x{:02x}", static_cast<unsigned char>(text[i + length - 1])));
      i += length;
    }
  }
  return result;
}

}  // namespace barman
