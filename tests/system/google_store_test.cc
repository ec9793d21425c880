// The driver for Google Cloud Storage, on what stands for it (google_server.h). The conformance
// suite is in object_store_test.cc.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/text.h"
#include "object_store/wire_text.h"
#include "support/command.h"
#include "support/store_proxy.h"
#include "support/temp_dir.h"
#include "system/google_server.h"

namespace barman::test {
namespace {

using object_store::ObjectStore;
using object_store::StoreOptions;
using testing::HasSubstr;

std::string read_google(const ObjectStore& store, const std::string& key) {
  const auto file = store.open(key);
  std::string content(static_cast<std::size_t>(file->size_bytes()), '\0');
  content.resize(file->read_at(0, std::as_writable_bytes(std::span(content))));
  return content;
}

TEST(GoogleStore, TakesAnObjectInParts) {
  StoreOptions options = GoogleServer::shared().options();
  options.part_size_bytes = 5 << 20;
  options.tags = {{"team", "db"}};
  const auto store = open_google("parts", options);
  const std::string content = std::string(5'000'000, 'a') + std::string(500'000, 'b');
  const auto sink = store->create("large", storage::IfPresent::refuse);
  sink->write(as_bytes(content));
  sink->finish();
  EXPECT_TRUE(read_google(*store, "large") == content);
  EXPECT_EQ(store->list_unfinished("").size(), 0U);
  const auto second = store->create("large", storage::IfPresent::refuse);
  second->write(as_bytes(content));
  EXPECT_THROW(second->finish(), Error);
}

TEST(GoogleStore, ProvesWhoItIsWithTheKeyOfItsAccount) {
  GoogleServer& google = GoogleServer::shared();
  google.answer_tokens();
  const auto store = open_google("keys", google.options());
  EXPECT_FALSE(store->find("a"));
  EXPECT_FALSE(store->find("a"));
  ASSERT_EQ(google.tokens().bodies().size(), 1U) << "the token is kept";
  const std::string form = google.tokens().bodies()[0];
  EXPECT_THAT(form, HasSubstr("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer"));
  const std::string name = "assertion=";
  const std::string assertion =
      form.substr(form.find(name) + name.size(), form.find('&') - name.size());
  const std::size_t last_dot = assertion.rfind('.');
  std::string signature =
      replace_all(replace_all(assertion.substr(last_dot + 1), "-", "+"), "_", "/");
  while (signature.size() % 4 != 0) signature += '=';
  write_text(google.file("signature"), object_store::base64_decoded(signature).value());
  write_text(google.file("text"), assertion.substr(0, last_dot));
  EXPECT_THAT(
      run_checked({.argv = {"openssl", "dgst", "-sha256", "-verify", google.file("public.pem"),
                            "-signature", google.file("signature"), google.file("text")}}),
      HasSubstr("Verified OK"));
}

TEST(GoogleStore, AsksForANewTokenWhenTheOldOneIsRefused) {
  GoogleServer& google = GoogleServer::shared();
  const auto store = open_google("renewed", google.options());
  EXPECT_FALSE(store->find("a"));
  google.answer_tokens();
  google.proxy().add({.method = "HEAD",
                      .kind = StoreProxy::Kind::answer,
                      .text = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"});
  EXPECT_FALSE(store->find("a"));
  EXPECT_EQ(google.tokens().bodies().size(), 1U);
}

// With these variables of the environment instead of the key of an account.
StoreOptions options_with(std::map<std::string, std::string> variables) {
  StoreOptions options = GoogleServer::shared().options();
  variables["API_ENDPOINT_OVERRIDE"] = GoogleServer::shared().proxy().endpoint();
  options.environment = [variables](const std::string& name) {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  };
  return options;
}

StoreProxy::Fault answer_to(const std::string& method, const std::string& target,
                            const std::string& body, const std::string& more_headers = "") {
  return {.method = method,
          .target = target,
          .kind = StoreProxy::Kind::answer,
          .text = "HTTP/1.1 200 OK\r\n" + more_headers +
                  "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body};
}

std::string token_document(int seconds) {
  return R"({"access_token": ")" + std::string(GoogleServer::kToken) + R"(", "expires_in": )" +
         std::to_string(seconds) + R"(, "token_type": "Bearer"})";
}

TEST(GoogleStore, AnUploadOutlivesItsToken) {
  GoogleServer& google = GoogleServer::shared();
  StoreOptions options = google.options();
  options.part_size_bytes = 5 << 20;
  const auto store = open_google("outlived", options);
  EXPECT_FALSE(store->find("large"));
  google.answer_tokens();
  google.proxy().add({.method = "PUT",
                      .target = "partNumber=2",
                      .kind = StoreProxy::Kind::answer,
                      .text = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"});
  const std::string content = std::string(6'000'000, 'a') + std::string(6'000'000, 'b');
  const auto sink = store->create("large", storage::IfPresent::refuse);
  sink->write(as_bytes(content));
  sink->finish();
  EXPECT_TRUE(read_google(*store, "large") == content);
  EXPECT_GE(google.tokens().bodies().size(), 1U);
  EXPECT_EQ(store->list_unfinished("").size(), 0U);
}

TEST(GoogleStore, RenewsATokenBeforeItExpires) {
  GoogleServer& google = GoogleServer::shared();
  google.tokens().reset();
  google.tokens().add(answer_to("POST", "/token", token_document(100)));
  google.tokens().add(answer_to("POST", "/token", token_document(3600)));
  const auto store = open_google("expiring", google.options());
  for (int i = 0; i < 4; ++i) EXPECT_FALSE(store->find("a"));
  EXPECT_EQ(google.tokens().count("POST", "/token"), 2U) << "100 s are too few to begin with";
  google.answer_tokens();
}

// On machines of Google, in GKE with a workload identity, too.
TEST(GoogleStore, TakesTheTokenOfTheMetadataServer) {
  GoogleServer& google = GoogleServer::shared();
  google.tokens().reset();
  const std::string host = google.tokens().endpoint().substr(std::string("http://").size());
  const std::string target = "/computeMetadata/v1/instance/service-accounts/default/token";
  google.tokens().add(
      answer_to("GET", target, token_document(3599), "Metadata-Flavor: Google\r\n"));
  const StoreOptions options = options_with({{"GCE_METADATA_HOST", host}});
  const auto store = open_google("metadata", options);
  EXPECT_FALSE(store->find("a"));
  EXPECT_FALSE(store->find("a"));
  EXPECT_EQ(google.tokens().count("GET", target), 1U);
  // Whatever answers there in another network is no metadata server.
  google.tokens().add(answer_to("GET", target, token_document(3599)));
  try {
    open_google("metadata", options)->find("a");
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::config);
    EXPECT_THAT(error.message(), HasSubstr("credentials were not found"));
  }
  google.answer_tokens();
}

TEST(GoogleStore, ExchangesATokenOfElsewhere) {
  GoogleServer& google = GoogleServer::shared();
  const std::string tokens = google.tokens().endpoint();
  write_text(google.file("subject"), "plain subject\n");
  write_text(google.file("subject.json"), R"({"id_token": "subject of a document"})");
  const std::map<std::string, std::string> sources = {
      {R"("file": ")" + google.file("subject") + "\"", "plain+subject"},
      {R"("file": ")" + google.file("subject.json") +
           R"(", "format": {"type": "json", "subject_token_field_name": "id_token"})",
       "subject+of+a+document"},
      {R"("url": ")" + tokens + R"(/subject", "headers": {"Metadata": "true"})", "asked+subject"}};
  for (const auto& [source, subject] : sources) {
    SCOPED_TRACE(source);
    google.tokens().reset();
    google.tokens().add(answer_to("GET", "/subject", "asked subject"));
    google.tokens().add(
        answer_to("POST", "/exchange", R"({"access_token": "between", "expires_in": 60})"));
    google.tokens().add(answer_to("POST", "/impersonate:generateAccessToken",
                                  R"({"accessToken": ")" + std::string(GoogleServer::kToken) +
                                      R"(", "expireTime": "2099-11-29T19:00:00Z"})"));
    write_text(google.file("external.json"),
               R"({"type": "external_account", "audience": "//iam.googleapis.com/pool", )"
               R"("subject_token_type": "urn:ietf:params:oauth:token-type:jwt", "token_url": ")" +
                   tokens + R"(/exchange", "service_account_impersonation_url": ")" + tokens +
                   R"(/impersonate:generateAccessToken", "credential_source": {)" + source + "}}");
    const auto store = open_google(
        "external",
        options_with({{"GOOGLE_APPLICATION_CREDENTIALS", google.file("external.json")}}));
    EXPECT_FALSE(store->find("a"));
    const std::vector<std::string> bodies = google.tokens().bodies();
    ASSERT_GE(bodies.size(), 2U);
    EXPECT_THAT(bodies[bodies.size() - 2], HasSubstr("token-exchange"));
    EXPECT_THAT(replace_all(bodies[bodies.size() - 2], "%20", "+"),
                HasSubstr("subject_token=" + subject));
    EXPECT_THAT(bodies.back(), HasSubstr("devstorage.full_control"));
  }
  google.answer_tokens();
}

TEST(GoogleStore, SaysWhatIsWrong) {
  StoreOptions options = GoogleServer::shared().options();
  options.environment = [given = options.environment](const std::string& name) {
    if (name == "GOOGLE_APPLICATION_CREDENTIALS") return std::optional<std::string>("/dev/null");
    return given(name);
  };
  try {
    open_google("wrong", options);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::config);
    EXPECT_THAT(error.message(), HasSubstr("\"/dev/null\" has no credentials of Google Cloud"));
  }
}

}  // namespace
}  // namespace barman::test
