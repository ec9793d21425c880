#include "base/secrets.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/text.h"

namespace barman {
namespace {

constexpr std::string_view kMask = "*REDACTED*";
constexpr std::string_view kBlanks = " \t";

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
  i = std::min(text.find_first_not_of(kBlanks, i), text.size());
  if (i < text.size() && (text[i] == '=' || text[i] == ':')) {
    if (text.substr(i, 3) == "://") return std::nullopt;
    i = std::min(text.find_first_not_of(kBlanks, i + 1), text.size());
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
    result.append(kMask);
    i = view.substr(i).starts_with(kMask) ? i + kMask.size() : value_end(view, i);
  }
  return result;
}

}  // namespace barman
