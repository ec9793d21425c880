#include "object_store/aws_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "base/error.h"
#include "base/test_support.h"
#include "object_store/aws_credentials.h"
#include "object_store/wire_text.h"

namespace barman::object_store {
namespace {

using testing::HasSubstr;

class AwsFiles : public testing::Test {
 protected:
  AwsFiles() { variables_["HOME"] = home_.path().string(); }

  void write(const std::string& name, const std::string& text) {
    put_file(home_.path() / ".aws" / name, text);
  }
  StoreOptions options() const {
    StoreOptions result;
    result.environment = [this](const std::string& name) -> std::optional<std::string> {
      const auto found = variables_.find(name);
      if (found == variables_.end()) return std::nullopt;
      return found->second;
    };
    return result;
  }
  AwsKeys keys(const std::string& profile = "") const {
    StoreOptions chosen = options();
    chosen.profile = profile;
    const AwsSettings settings = load_aws_settings(chosen);
    const HttpClient http{HttpSettings()};
    return AwsCredentialChain(settings, http).keys();
  }
  std::string refusal(const std::string& profile = "") const {
    try {
      keys(profile);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::config);
      return error.message();
    }
    return "found";
  }

  const TemporaryDirectory home_;
  std::map<std::string, std::string> variables_{{"AWS_EC2_METADATA_DISABLED", "true"},
                                                {"BOTO_CONFIG", "/nonexistent"}};
};

TEST(AwsFile, IsReadAsTheSdkDoes) {
  const AwsSections sections = parse_aws_file(
      "# comment\n[default]\nregion = eu-west-1 # here\naws_secret_access_key=a#b\n"
      "s3 =\n  addressing_style = path\n\tmax_concurrent_requests = 2\noutput=json\n"
      "[profile  other]\nregion:x\nRegion = us-east-2\n[broken\nregion = lost\n");
  EXPECT_EQ(sections.at("default").at("region"), "eu-west-1");
  EXPECT_EQ(sections.at("default").at("aws_secret_access_key"), "a#b");
  EXPECT_EQ(sections.at("default").at("s3.addressing_style"), "path");
  EXPECT_EQ(sections.at("default").at("output"), "json");
  EXPECT_EQ(sections.at("profile other").at("region"), "us-east-2");
  EXPECT_EQ(sections.size(), 2U);
}

TEST_F(AwsFiles, AreLookedUpByProfile) {
  write("config",
        "[default]\nregion = eu-west-1\n[profile other]\nregion = us-east-2\n"
        "endpoint_url = http://127.0.0.1:9\ns3 =\n  addressing_style = virtual\n"
        "retry_mode = standard\n[plain]\nregion = nowhere\n");
  write("credentials", "[plain]\naws_access_key_id = p\naws_secret_access_key = s\n");
  EXPECT_EQ(load_aws_settings(options()).region, "eu-west-1");
  EXPECT_EQ(load_aws_settings(options()).max_attempts, 5U);
  StoreOptions other = options();
  other.profile = "other";
  const AwsSettings settings = load_aws_settings(other);
  EXPECT_EQ(settings.region, "us-east-2");
  EXPECT_EQ(settings.endpoint_url, "http://127.0.0.1:9");
  EXPECT_EQ(settings.addressing_style, AddressingStyle::virtual_host);
  EXPECT_EQ(settings.max_attempts, 3U);
  other.profile = "plain";
  EXPECT_EQ(load_aws_settings(other).region, "")
      << "of other profiles the file of settings says \"profile\"";
  other.profile = "missing";
  try {
    load_aws_settings(other);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.message(), "The config profile (missing) could not be found");
  }
}

TEST_F(AwsFiles, GiveWayToTheEnvironmentAndItToOptions) {
  write("config", "[default]\nregion = eu-west-1\nendpoint_url = http://file\n");
  variables_["AWS_DEFAULT_REGION"] = "us-west-2";
  variables_["AWS_ENDPOINT_URL"] = "http://general";
  variables_["AWS_MAX_ATTEMPTS"] = "7";
  EXPECT_EQ(load_aws_settings(options()).region, "us-west-2");
  EXPECT_EQ(load_aws_settings(options()).endpoint_url, "http://general");
  EXPECT_EQ(load_aws_settings(options()).max_attempts, 7U);
  variables_["AWS_ENDPOINT_URL_S3"] = "http://s3";
  EXPECT_EQ(load_aws_settings(options()).endpoint_url, "http://s3");
  StoreOptions given = options();
  given.endpoint_url = "http://option";
  given.region = "eu-central-1";
  EXPECT_EQ(load_aws_settings(given).endpoint_url, "http://option");
  EXPECT_EQ(load_aws_settings(given).region, "eu-central-1");
}

TEST_F(AwsFiles, HoldKeysThatAreFoundInOrder) {
  EXPECT_EQ(refusal(), "Unable to locate credentials");
  variables_["BOTO_CONFIG"] = (home_.path() / "boto").string();
  put_file(home_.path() / "boto",
           "[Credentials]\naws_access_key_id = boto\naws_secret_access_key = s\n");
  EXPECT_EQ(keys().access_key, "boto");
  write("config", "[default]\naws_access_key_id = config\naws_secret_access_key = s\n");
  EXPECT_EQ(keys().access_key, "config");
  write("config",
        "[default]\naws_access_key_id = config\naws_secret_access_key = s\n"
        "credential_process = echo '{\"Version\": 1, \"AccessKeyId\": \"program\", "
        "\"SecretAccessKey\": \"s\", \"SessionToken\": \"t\"}'\n");
  EXPECT_EQ(keys().access_key, "program");
  EXPECT_EQ(keys().session_token, "t");
  write("credentials",
        "[default]\naws_access_key_id = shared\naws_secret_access_key = s\n"
        "[other]\naws_access_key_id = other\naws_secret_access_key = s\n");
  EXPECT_EQ(keys().access_key, "shared");
  variables_["AWS_ACCESS_KEY_ID"] = "variable";
  EXPECT_EQ(refusal(), "Partial credentials found in env, missing: AWS_SECRET_ACCESS_KEY");
  variables_["AWS_SECRET_ACCESS_KEY"] = "s";
  EXPECT_EQ(keys().access_key, "variable");
  EXPECT_EQ(keys("other").access_key, "other") << "the profile of the command line is wanted";
  variables_["AWS_PROFILE"] = "other";
  EXPECT_EQ(keys().access_key, "variable") << "AWS_PROFILE gives way to keys";
}

TEST_F(AwsFiles, RefuseWhatCannotRunUnattended) {
  write(
      "config",
      "[profile sso]\nsso_start_url = https://x/start\nsso_region = r\nsso_account_id = 1\n"
      "sso_role_name = b\n[profile mfa]\nrole_arn = arn:aws:iam::1:role/r\n"
      "mfa_serial = x\nsource_profile = mfa\n[profile loop]\nrole_arn = r\nsource_profile = pool\n"
      "[profile pool]\nrole_arn = r\nsource_profile = loop\n[profile alone]\nrole_arn = r\n"
      "[profile bad]\ncredential_process = exit 3\n[profile empty]\ncredential_process = true\n");
  EXPECT_THAT(refusal("sso"), HasSubstr("signs in through a browser"));
  EXPECT_THAT(refusal("mfa"), HasSubstr("second factor"));
  EXPECT_THAT(refusal("loop"), HasSubstr("more than 5 roles in a row"));
  EXPECT_THAT(refusal("alone"), HasSubstr("no keys to do it with"));
  EXPECT_THAT(refusal("bad"), HasSubstr("fails with exit code 3"));
  EXPECT_THAT(refusal("empty"), HasSubstr("prints no keys"));
  variables_["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = "http://elsewhere.example/keys";
  EXPECT_THAT(refusal(), HasSubstr("neither https nor an agent of this host"));
}

TEST(CustomerKey, IsReadFromItsFile) {
  const TemporaryDirectory directory;
  const std::string path = (directory.path() / "key").string();
  const auto refusal_of = [&](const std::string& url) -> std::string {
    try {
      read_customer_key(url);
    } catch (const Error& error) {
      return error.message();
    }
    return "accepted";
  };
  EXPECT_THAT(refusal_of(path), HasSubstr("must be provided as a file:// URI"));
  EXPECT_EQ(refusal_of("file://key"), "SSE-C key file path must be absolute: key");
  EXPECT_EQ(refusal_of("file://" + path), "SSE-C key file not found: " + path);
  put_file(path, "no base64!");
  EXPECT_EQ(refusal_of("file://" + path),
            "SSE-C key file " + path + " does not contain a valid base64-encoded key");
  put_file(path, base64("short"));
  EXPECT_EQ(refusal_of("file://" + path),
            "SSE-C key file " + path + " must contain a 256-bit (32-byte) key, got 5 bytes");
  const std::string key(32, '\xfe');
  put_file(path, "  " + base64(key) + "\n");
  EXPECT_EQ(read_customer_key("file://" + path), key);
}

}  // namespace
}  // namespace barman::object_store
