// Tokens of Google Cloud, found as its client libraries do (application default credentials): the
// file that GOOGLE_APPLICATION_CREDENTIALS names (a service account, a user, or a workload identity
// of another provider), the file of gcloud, the metadata server.
#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/timestamp.h"
#include "base/wall_clock.h"
#include "object_store/access_token.h"
#include "object_store/aws_settings.h"
#include "object_store/http_client.h"
#include "object_store/store_options.h"

namespace barman::object_store {

struct GoogleAccount {
  std::string type;  // "service_account", "authorized_user", "external_account"
  std::string client_email;
  std::string private_key;  // PEM
  std::string private_key_id;
  std::string token_url;
  std::string client_id;
  std::string client_secret;
  std::string refresh_token;
  // Of an external account.
  std::string audience;
  std::string subject_token_type;
  // Where its token is: a file, or the answer to a GET; "" or the member of a JSON document.
  std::string subject_file;
  std::string subject_url;
  std::vector<std::pair<std::string, std::string>> subject_headers;
  std::string subject_member;
  std::string impersonation_url;
  std::string quota_project;
  std::string project;
};
// Throws `config`.
GoogleAccount parse_google_account(const std::string& text, const std::string& path);

// "header.claims.signature" for the token URL. Throws `config` for a key that is none.
std::string google_assertion(const GoogleAccount& account, Timestamp now);

// Several threads may ask; the first one fetches.
class GoogleKeys {
 public:
  GoogleKeys(const StoreOptions& options, const HttpClient& http, WallClock clock = {});

  // "" when nothing is to be proven: an emulator is used.
  std::string token();
  bool forget();
  // Who pays for requests, "" = the owner of the bucket.
  const std::string& quota_project() const { return quota_project_; }
  // Where buckets are made.
  std::string project() const;

 private:
  AccessToken find_token() const;
  AccessToken ask_for_account(const GoogleAccount& account) const;
  std::optional<AccessToken> ask_metadata() const;
  AccessToken post(const std::string& url, const std::string& body, const std::string& type,
                   const std::string& bearer) const;
  std::string subject_token(const GoogleAccount& account) const;
  AccessToken impersonate(const GoogleAccount& account, const AccessToken& token) const;

  const Environment environment_;
  const HttpClient& http_;
  const WallClock clock_;
  std::optional<GoogleAccount> account_;
  std::string quota_project_;
  std::mutex mutex_;
  std::optional<AccessToken> token_;
};

}  // namespace barman::object_store
