// Keys of a profile that signs in through a browser: `aws sso login` has left a token in
// ~/.aws/sso/cache, for which the portal of IAM Identity Center gives the keys of a role.
#pragma once

#include <optional>
#include <string>

#include "base/timestamp.h"
#include "object_store/aws_answers.h"
#include "object_store/aws_settings.h"
#include "object_store/http_client.h"

namespace barman::object_store {

// nullopt for a profile without SSO. Throws `config` for one that says too little, and when there
// is no token or it is over: nobody is there to sign in.
std::optional<SessionKeys> find_sso_keys(const AwsSettings& settings, const AwsProfile& profile,
                                         const HttpClient& http, Timestamp now);

// {"roleCredentials": {"accessKeyId": …, "expiration": milliseconds}}; nullopt for something else.
std::optional<SessionKeys> parse_sso_keys(const std::string& text);

}  // namespace barman::object_store
