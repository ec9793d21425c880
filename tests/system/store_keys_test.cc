// Where keys for S3 come from when somebody is asked for them: the metadata of EC2, the agent of a
// container, the security token service. StoreProxy answers in their place.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>

#include <fmt/format.h>

#include "base/error.h"
#include "object_store/wire_text.h"
#include "support/bucket.h"
#include "support/object_server.h"
#include "support/store_proxy.h"
#include "support/temp_dir.h"

namespace barman::test {
namespace {

using object_store::ObjectStore;
using object_store::StoreOptions;
using testing::HasSubstr;
using Kind = StoreProxy::Kind;

std::string whole_answer(int status, const std::string& body) {
  return fmt::format("HTTP/1.1 {} Answer\r\nContent-Length: {}\r\n\r\n{}", status, body.size(),
                     body);
}

class StoreKeys : public testing::Test {
 protected:
  StoreKeys() {
    open_bucket("keys", "", store_options(server_));
    variables_ = server_.environment();
    variables_.erase("AWS_ACCESS_KEY_ID");
    variables_.erase("AWS_SECRET_ACCESS_KEY");
    variables_.erase("AWS_EC2_METADATA_DISABLED");
    variables_["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = "http://127.0.0.1:1";
  }

  std::unique_ptr<ObjectStore> store(const std::string& endpoint) const {
    StoreOptions options = store_options(server_);
    options.endpoint_url = endpoint;
    options.environment = [this](const std::string& name) -> std::optional<std::string> {
      const auto found = variables_.find(name);
      if (found == variables_.end()) return std::nullopt;
      return found->second;
    };
    return object_store::open_store(bucket_url("keys"), options);
  }
  std::string json_keys(const std::string& token = "", const std::string& end = "") const {
    return fmt::format(
        R"({{"Code": "Success", "AccessKeyId": "{}", "SecretAccessKey": "{}", "Token": "{}", "Expiration": "{}"}})",
        server_.access_key(), server_.secret_key(), token, end);
  }
  std::string xml_keys(const std::string& action) const {
    return fmt::format(
        "<{0}Response><{0}Result><Credentials><AccessKeyId>{1}</AccessKeyId><SecretAccessKey>{2}"
        "</SecretAccessKey></Credentials></{0}Result></{0}Response>",
        action, server_.access_key(), server_.secret_key());
  }
  void answer(const std::string& method, const std::string& target, const std::string& text,
              unsigned times = 1) {
    others_.add(
        {.method = method, .target = target, .times = times, .kind = Kind::answer, .text = text});
  }

  ObjectServer& server_ = ObjectServer::shared();
  StoreProxy others_{server_.port()};
  std::map<std::string, std::string> variables_;
};

TEST_F(StoreKeys, ComeFromTheMetadataOfEc2AndAreRenewed) {
  variables_["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = others_.endpoint();
  answer("PUT", "/latest/api/token", whole_answer(200, "token"), 100);
  answer("GET", "/latest/meta-data/iam/security-credentials/role", whole_answer(200, json_keys()),
         2);
  answer("GET", "/latest/meta-data/iam/security-credentials/", whole_answer(200, "role\n"), 100);
  const auto first = store(server_.endpoint());
  EXPECT_TRUE(first->bucket_exists());
  EXPECT_TRUE(first->bucket_exists());
  EXPECT_EQ(others_.count("GET", "credentials/role"), 1U) << "they are kept";

  // These end too soon.
  others_.reset();
  answer("PUT", "/latest/api/token", whole_answer(200, "token"), 100);
  answer("GET", "security-credentials/role",
         whole_answer(200, json_keys("", "2020-01-01T00:00:00Z")), 100);
  answer("GET", "security-credentials/", whole_answer(200, "role"), 100);
  const auto second = store(server_.endpoint());
  EXPECT_TRUE(second->bucket_exists());
  EXPECT_TRUE(second->bucket_exists());
  EXPECT_EQ(others_.count("GET", "credentials/role"), 2U) << "they are fetched anew";
}

TEST_F(StoreKeys, AreRenewedWhenTheStoreCallsThemExpired) {
  variables_["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = others_.endpoint();
  answer("PUT", "/latest/api/token", whole_answer(200, "token"), 100);
  answer("GET", "security-credentials/role", whole_answer(200, json_keys("old")));
  answer("GET", "security-credentials/role", whole_answer(200, json_keys()));
  answer("GET", "security-credentials/", whole_answer(200, "role"), 100);
  StoreProxy proxy(server_.port());
  proxy.add({.kind = Kind::answer, .text = StoreProxy::error_answer(400, "ExpiredToken")});
  const auto bucket = store(proxy.endpoint());
  bucket->list("", [](const storage::ObjectFacts&) {});
  EXPECT_EQ(proxy.count("GET"), 2U);
}

TEST_F(StoreKeys, ComeFromTheAgentOfAContainer) {
  const TempDir directory;
  write_text(directory.path() / "token", "secret-of-the-pod\n");
  variables_["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = others_.endpoint() + "/v1/credentials";
  variables_["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = (directory.path() / "token").string();
  answer("GET", "/v1/credentials", whole_answer(200, json_keys()));
  EXPECT_TRUE(store(server_.endpoint())->bucket_exists());
  answer("GET", "/v1/credentials", whole_answer(404, "no role"));
  try {
    store(server_.endpoint())->check_bucket();
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.message(), HasSubstr("tells no credentials: HTTP status 404"));
  }
}

TEST_F(StoreKeys, ComeFromAWebIdentity) {
  const TempDir directory;
  write_text(directory.path() / "token", "jwt\n");
  variables_["AWS_WEB_IDENTITY_TOKEN_FILE"] = (directory.path() / "token").string();
  variables_["AWS_ROLE_ARN"] = "arn:aws:iam::1:role/backup";
  variables_["AWS_ENDPOINT_URL_STS"] = others_.endpoint();
  answer("POST", "/", whole_answer(200, xml_keys("AssumeRoleWithWebIdentity")));
  EXPECT_TRUE(store(server_.endpoint())->bucket_exists());
  answer("POST", "/",
         whole_answer(403,
                      "<ErrorResponse><Error><Code>AccessDenied</Code><Message>not "
                      "yours</Message></Error></ErrorResponse>"));
  try {
    store(server_.endpoint())->check_bucket();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::permission);
    EXPECT_THAT(error.message(), HasSubstr("gives no keys: AccessDenied: not yours"));
  }
}

// What may be better a moment later is asked again, and what is refused is not.
TEST_F(StoreKeys, AreAskedForAgainWhereThatMayHelp) {
  const TempDir directory;
  write_text(directory.path() / "token", "jwt\n");
  variables_["AWS_WEB_IDENTITY_TOKEN_FILE"] = (directory.path() / "token").string();
  variables_["AWS_ROLE_ARN"] = "arn:aws:iam::1:role/backup";
  variables_["AWS_ENDPOINT_URL_STS"] = others_.endpoint();
  const auto refused = [](const std::string& code) {
    return whole_answer(400, "<ErrorResponse><Error><Code>" + code +
                                 "</Code><Message>no</Message></Error></ErrorResponse>");
  };
  answer("POST", "/", whole_answer(503, ""));
  answer("POST", "/", refused("Throttling"));
  answer("POST", "/", whole_answer(200, xml_keys("AssumeRoleWithWebIdentity")));
  EXPECT_TRUE(store(server_.endpoint())->bucket_exists());
  EXPECT_EQ(others_.count("POST"), 3U);

  others_.reset();
  answer("POST", "/", refused("InvalidIdentityToken"), 100);
  try {
    store(server_.endpoint())->check_bucket();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::permission);
    EXPECT_THAT(error.message(), HasSubstr("gives no keys: InvalidIdentityToken: no"));
  }
  EXPECT_EQ(others_.count("POST"), 1U);
}

TEST_F(StoreKeys, ComeFromASignInThroughABrowser) {
  const TempDir home;
  const auto cache = home.path() / ".aws/sso/cache";
  std::filesystem::create_directories(cache);
  write_text(home.path() / ".aws/config",
             "[default]\nsso_session = work\nsso_account_id = 123\nsso_role_name = backup\n"
             "[sso-session work]\nsso_start_url = https://x.awsapps.com/start\n"
             "sso_region = eu-west-1\n");
  variables_["HOME"] = home.path().string();
  variables_.erase("AWS_CONFIG_FILE");
  variables_["AWS_ENDPOINT_URL_SSO"] = others_.endpoint();
  const auto token_file =
      cache / (object_store::hex(object_store::sha1(as_bytes("work"))) + ".json");
  answer("GET", "/federation/credentials?account_id=123&role_name=backup",
         whole_answer(200, fmt::format(R"({{"roleCredentials": {{"accessKeyId": "{}",
"secretAccessKey": "{}", "sessionToken": "", "expiration": 4102444800000}}}})",
                                       server_.access_key(), server_.secret_key())));
  const auto message_of_check = [&] {
    try {
      store(server_.endpoint())->check_bucket();
    } catch (const Error& error) {
      return error.describe_with_hint();
    }
    return std::string();
  };
  EXPECT_THAT(message_of_check(), HasSubstr("holds no token"));
  write_text(token_file, R"({"accessToken": "secret", "expiresAt": "2020-01-01T00:00:00Z"})");
  EXPECT_THAT(message_of_check(), HasSubstr("aws sso login --profile default"));
  write_text(token_file, R"({"accessToken": "secret", "expiresAt": "2099-01-01T00:00:00Z"})");
  EXPECT_EQ(message_of_check(), "");
  answer("GET", "/federation/credentials", whole_answer(401, "{}"));
  const std::string refused = message_of_check();
  EXPECT_THAT(refused, HasSubstr("gives no keys for the role \"backup\""));
  EXPECT_EQ(refused.find("secret"), std::string::npos);
}

TEST_F(StoreKeys, ComeFromARoleOfTheProfile) {
  const TempDir directory;
  write_text(directory.path() / "config",
             "[default]\nrole_arn = arn:aws:iam::1:role/backup\nsource_profile = base\n"
             "[profile base]\naws_access_key_id = base\naws_secret_access_key = s\n");
  variables_["AWS_CONFIG_FILE"] = (directory.path() / "config").string();
  variables_["AWS_ENDPOINT_URL_STS"] = others_.endpoint();
  answer("POST", "/", whole_answer(200, xml_keys("AssumeRole")));
  EXPECT_TRUE(store(server_.endpoint())->bucket_exists());
}

}  // namespace
}  // namespace barman::test
