#include "object_store/google_keys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace barman::object_store {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

TEST(GoogleAccount, OfElsewhereHasAFileOrAUrl) {
  const GoogleAccount file = parse_google_account(
      R"({"type": "external_account", "audience": "a", "token_url": "https://sts/token",
          "credential_source": {"file": "/var/run/token"}})",
      "account.json");
  EXPECT_EQ(file.subject_file, "/var/run/token");
  EXPECT_EQ(file.subject_member, "");
  EXPECT_EQ(file.token_url, "https://sts/token");
  const GoogleAccount url = parse_google_account(
      R"({"type": "external_account", "credential_source": {"url": "http://169.254.169.254/t",
          "headers": {"Metadata": "True", "Wrong": 7},
          "format": {"type": "json", "subject_token_field_name": "access_token"}}})",
      "account.json");
  EXPECT_EQ(url.subject_url, "http://169.254.169.254/t");
  EXPECT_THAT(url.subject_headers, ElementsAre(Pair("Metadata", "True")));
  EXPECT_EQ(url.subject_member, "access_token");
}

TEST(GoogleAccount, ThatCannotBeUsedIsRefusedByName) {
  for (const char* const text :
       {"", "[]", "7", "{}", R"({"type": "service_account", "client_email": "a"})",
        R"({"type": "external_account", "credential_source": {"environment_id": "aws1"}})",
        R"({"type": "external_account", "credential_source": 7})",
        R"({"type": "external_account", "credential_source": {"headers": 7, "format": []}})",
        R"({"type": "authorized_user"})"}) {
    try {
      parse_google_account(text, "account.json");
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::config);
      EXPECT_THAT(error.describe(), HasSubstr("\"account.json\" has no credentials"));
    }
  }
}

}  // namespace
}  // namespace barman::object_store
