// Where keys for S3 come from, asked in the order of the SDK: the environment, a role of the
// profile, a web identity, a sign-in through a browser (SSO), the shared files, a program of the
// user, the files of old tools, the container's endpoint, the metadata of EC2. Keys that expire are
// fetched anew before they do.
#pragma once

#include <mutex>
#include <optional>
#include <string>

#include "base/timestamp.h"
#include "base/wall_clock.h"
#include "object_store/aws_answers.h"
#include "object_store/aws_settings.h"
#include "object_store/aws_signature.h"
#include "object_store/http_client.h"

namespace barman::object_store {

// Several threads may ask; the first one fetches.
class AwsCredentialChain {
 public:
  // Both are used as long as this lives.
  AwsCredentialChain(const AwsSettings& settings, const HttpClient& http, WallClock clock = {});

  // Throws `config` ("Unable to locate credentials"), `permission` when a role is refused,
  // `connection`.
  AwsKeys keys();
  // After the store has said that they are expired: the next keys() fetches others. False when
  // there are no others to be had.
  bool forget();

 private:
  SessionKeys find() const;
  std::optional<SessionKeys> find_for(const AwsProfile& profile, int depth) const;
  std::optional<SessionKeys> find_in_environment() const;
  std::optional<SessionKeys> find_by_role(const AwsProfile& profile, int depth) const;
  std::optional<SessionKeys> find_by_web_identity(const AwsProfile& profile) const;
  std::optional<SessionKeys> find_by_program(const AwsProfile& profile) const;
  std::optional<SessionKeys> find_in_old_files() const;
  std::optional<SessionKeys> find_in_container() const;
  std::optional<SessionKeys> find_in_metadata() const;
  SessionKeys source_keys(const AwsProfile& profile, int depth) const;
  SessionKeys ask_sts(const QueryParameters& form, const AwsKeys* keys) const;

  const AwsSettings& settings_;
  const HttpClient& http_;
  const WallClock clock_;
  std::mutex mutex_;
  std::optional<SessionKeys> session_;
};

// {"AccessKeyId", "SecretAccessKey", "Token" or "SessionToken", "Expiration"}, as programs, the
// container's endpoint and EC2 tell them. nullopt when it is something else.
std::optional<SessionKeys> parse_json_keys(const std::string& text);

}  // namespace barman::object_store
