// Tokens of OAuth 2.0, as Entra ID and Google give them.
#pragma once

#include <optional>
#include <string>

#include "base/timestamp.h"

namespace barman::object_store {

struct AccessToken {
  std::string token;
  std::optional<Timestamp> expires;
};
// {"access_token": …, "expires_in": …} and what azure-cli and Google's service for impersonation
// tell; nullopt for something else.
std::optional<AccessToken> parse_access_token(const std::string& text, Timestamp now);

}  // namespace barman::object_store
