// The driver for Azure's Blob service on its emulator. The conformance suite is in
// object_store_test.cc.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdlib.h>

#include <filesystem>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "base/error.h"
#include "base/text.h"
#include "object_store/azure_keys.h"
#include "object_store/wire_text.h"
#include "support/azure_container.h"
#include "support/command.h"
#include "support/store_proxy.h"
#include "support/temp_dir.h"

namespace barman::test {
namespace {

using object_store::ObjectStore;
using object_store::StoreOptions;
using storage::IfPresent;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class AzureStore : public testing::Test {
 protected:
  AzureStore() {
    if (AzureServer::is_available()) store_ = open_container(name_, azure_options());
  }
  void SetUp() override {
    if (!AzureServer::is_available()) GTEST_SKIP() << AzureServer::kUnavailable;
  }

  static void put(ObjectStore& store, const std::string& key, const std::string& content,
                  IfPresent if_present = IfPresent::replace) {
    const auto sink = store.create(key, if_present);
    sink->write(as_bytes(content));
    sink->finish();
  }
  static std::string get(const ObjectStore& store, const std::string& key) {
    const auto file = store.open(key);
    std::string content(static_cast<std::size_t>(file->size_bytes()), '\0');
    content.resize(file->read_at(0, std::as_writable_bytes(std::span(content))));
    return content;
  }
  template <typename Action>
  static Error error_of(const Action& action) {
    try {
      action();
    } catch (const Error& error) {
      return error;
    }
    ADD_FAILURE() << "nothing was thrown";
    return {ErrorKind::internal, ""};
  }

  const std::string name_ = testing::UnitTest::GetInstance()->current_test_info()->name();
  std::unique_ptr<ObjectStore> store_;
};

TEST_F(AzureStore, TakesAnObjectInBlocks) {
  StoreOptions options = azure_options();
  options.max_block_size_bytes = 1 << 20;
  options.jobs = 3;
  const auto store = open_container(name_, options);
  const std::string content = std::string(1'500'000, 'a') + std::string(1'500'001, 'b');
  put(*store, "large", content, IfPresent::refuse);
  EXPECT_TRUE(get(*store, "large") == content);
  EXPECT_EQ(error_of([&] { put(*store, "large", content, IfPresent::refuse); }).kind(),
            ErrorKind::conflict);
  {
    const auto sink = store->create("large", IfPresent::replace);
    sink->write(as_bytes(content));
  }
  EXPECT_TRUE(get(*store, "large") == content) << "what is given up replaces nothing";
}

TEST_F(AzureStore, TakesEveryName) {
  const std::vector<std::string> names = {
      "a b", "a%2Fb", "a+b", "a=b?c#d", "\xc3\xa4", "main/base/20260101T000000/data.tar"};
  for (const std::string& name : names) {
    put(*store_, name, name);
    EXPECT_EQ(get(*store_, name), name);
  }
  EXPECT_THAT(store_->list_directories(""), ElementsAre("main"));
  store_->remove(names);
  store_->list("", [](const storage::ObjectFacts& facts) { ADD_FAILURE() << facts.key; });
}

TEST_F(AzureStore, SaysWhatIsWrong) {
  EXPECT_NO_THROW(store_->check_bucket());
  const auto missing =
      object_store::open_store(container_url("no-such-container"), azure_options());
  EXPECT_FALSE(missing->bucket_exists());
  EXPECT_EQ(error_of([&] { put(*missing, "a", "x"); }).kind(), ErrorKind::config);
  EXPECT_EQ(error_of([&] { static_cast<void>(missing->find("a")); }).kind(), ErrorKind::config);
  EXPECT_EQ(error_of([&] { static_cast<void>(missing->open("a")); }).kind(), ErrorKind::config);
  const std::string wrong_key =
      replace_all(AzureServer::shared().connection_string(), "AccountKey=Y", "AccountKey=Z");
  const Error error = error_of([&] {
    open_container(name_, azure_options({{"AZURE_STORAGE_CONNECTION_STRING", wrong_key}}));
  });
  EXPECT_EQ(error.kind(), ErrorKind::permission);
  EXPECT_THAT(error.message(), AllOf(HasSubstr("HTTP status 403"), HasSubstr("request ")));
  EXPECT_THAT(error.describe_with_hint(), Not(HasSubstr("Zm")));
  EXPECT_THAT(error_of([&] { open_container(name_, azure_options({})); }).message(),
              HasSubstr("A connection string must be provided when using emulated storage"));
  // Not as if it were done.
  std::vector<StoreOptions> refused(3, azure_options());
  refused[0].lock = object_store::ObjectLockRule{.days = 1};
  refused[1].removes_versions = true;
  refused[2].sse_customer_key = std::string(32, 'k');
  for (const StoreOptions& options : refused) {
    EXPECT_EQ(error_of([&] { object_store::open_store(container_url("a"), options); }).kind(),
              ErrorKind::config);
  }
}

// A signature for the account, as "Create an account SAS" of the reference describes it.
std::string account_signature(const std::string& permissions) {
  const std::string end = fmt::format(
      "{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(static_cast<std::time_t>(now_local().seconds() + 3600)));
  const std::string version = "2021-12-02";
  const std::string text = fmt::format("{}\n{}\nb\nco\n\n{}\n\n\n{}\n\n", AzureServer::kAccount,
                                       permissions, end, version);
  const std::string key = object_store::base64_decoded(AzureServer::kAccountKey).value();
  return fmt::format(
      "sv={}&ss=b&srt=co&sp={}&se={}&sig={}", version, permissions,
      object_store::percent_encoded(end),
      object_store::percent_encoded(object_store::base64(object_store::hmac_sha256(key, text))));
}

TEST_F(AzureStore, TakesASharedAccessSignature) {
  const auto options_of = [](const std::string& permissions) {
    return azure_options(
        {{"AZURE_STORAGE_CONNECTION_STRING",
          fmt::format("BlobEndpoint={};SharedAccessSignature={}",
                      AzureServer::shared().account_url(), account_signature(permissions))}});
  };
  StoreOptions options = options_of("rwdlct");
  options.max_block_size_bytes = 1 << 20;
  options.tags = {{"team", "data base"}};
  const auto store = open_container(name_, options);
  const std::string content(2'500'000, 's');
  put(*store, "a/b", content);
  EXPECT_TRUE(get(*store, "a/b") == content);
  EXPECT_EQ(get(*store_, "a/b").size(), content.size());
  const auto reader = object_store::open_store(container_url("container", name_), options_of("rl"));
  EXPECT_TRUE(reader->find("a/b"));
  const Error refused = error_of([&] { put(*reader, "c", "x"); });
  EXPECT_EQ(refused.kind(), ErrorKind::permission);
  EXPECT_THAT(refused.describe_with_hint(), Not(HasSubstr("sig=")));
}

TEST_F(AzureStore, KnowsItsOwnBlobWhenTheAnswerWasLost) {
  StoreProxy proxy(AzureServer::shared().port());
  StoreOptions options =
      azure_options({{"AZURE_STORAGE_CONNECTION_STRING",
                      replace_all(AzureServer::shared().connection_string(),
                                  fmt::format(":{}/", AzureServer::shared().port()),
                                  fmt::format(":{}/", proxy.port()))}});
  options.max_block_size_bytes = 1 << 20;
  const auto store = open_container(name_, options);
  proxy.add({.method = "PUT", .kind = StoreProxy::Kind::answer_lost});
  put(*store, "small", "ours", IfPresent::refuse);
  EXPECT_EQ(get(*store_, "small"), "ours");
  const std::string content(3'000'000, 'x');
  proxy.add({.method = "PUT", .target = "blocklist", .kind = StoreProxy::Kind::answer_lost});
  put(*store, "large", content, IfPresent::refuse);
  EXPECT_TRUE(get(*store_, "large") == content);
  proxy.add({.method = "GET", .times = 2, .kind = StoreProxy::Kind::cut, .bytes = 70'000});
  EXPECT_TRUE(get(*store, "large") == content);
  // A clock that is wrong is seen through.
  proxy.reset();
  proxy.add({.method = "HEAD",
             .kind = StoreProxy::Kind::answer,
             .text = "HTTP/1.1 403 No\r\nx-ms-error-code: AuthenticationFailed\r\n"
                     "Date: Sat, 01 Jan 2000 00:00:00 GMT\r\nContent-Length: 0\r\n\r\n"});
  EXPECT_TRUE(store->find("small"));
  EXPECT_EQ(proxy.count("HEAD"), 2U);
}

// Tokens of Entra ID. StoreProxy answers in its place, and in that of a machine's metadata.
class AzureTokens : public testing::Test {
 protected:
  static std::string token_answer(const std::string& token) {
    const std::string body = fmt::format(
        R"({{"access_token": "{}", "expires_in": 3599, "token_type": "Bearer"}})", token);
    return fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{}", body.size(), body);
  }
  void answer(const std::string& method, const std::string& target, const std::string& token,
              unsigned times = 1) {
    servers_.add({.method = method,
                  .target = target,
                  .times = times,
                  .kind = StoreProxy::Kind::answer,
                  .text = token_answer(token)});
  }
  object_store::AzureKeys keys(std::optional<object_store::AzureCredential> credential = {}) {
    StoreOptions options = azure_options(variables_);
    options.azure_credential = credential;
    return {object_store::parse_store_url("https://acct.blob.core.windows.net/c",
                                          object_store::Provider::azure_blob_storage),
            options, http_};
  }
  std::string authorization(std::optional<object_store::AzureCredential> credential = {}) {
    object_store::AzureKeys all = keys(credential);
    return authorization_of(all);
  }
  static std::string authorization_of(object_store::AzureKeys& keys) {
    object_store::HttpRequest request;
    keys.authorize(request, "/c", {});
    return request.headers.at(0).second;
  }

  // Nothing is passed on.
  StoreProxy servers_{1};
  const object_store::HttpClient http_{object_store::HttpSettings()};
  std::map<std::string, std::string> variables_ = {
      {"AZURE_AUTHORITY_HOST", servers_.endpoint()},
      {"AZURE_POD_IDENTITY_AUTHORITY_HOST", servers_.endpoint()}};
};

TEST_F(AzureTokens, ComeForAServicePrincipalAndAreRenewed) {
  variables_.insert({{"AZURE_TENANT_ID", "tenant"},
                     {"AZURE_CLIENT_ID", "client"},
                     {"AZURE_CLIENT_SECRET", "s&cret"}});
  answer("POST", "/tenant/oauth2/v2.0/token", "first");
  answer("POST", "/tenant/oauth2/v2.0/token", "second");
  object_store::AzureKeys all = keys();
  EXPECT_EQ(authorization_of(all), "Bearer first");
  EXPECT_EQ(authorization_of(all), "Bearer first") << "it is kept";
  EXPECT_THAT(servers_.bodies().at(0),
              AllOf(HasSubstr("grant_type=client_credentials"), HasSubstr("client_secret=s%26cret"),
                    HasSubstr("scope=https%3A%2F%2Fstorage.azure.com%2F.default")));
  EXPECT_TRUE(all.forget());
  EXPECT_EQ(authorization_of(all), "Bearer second");
  servers_.add({.method = "POST",
                .kind = StoreProxy::Kind::answer,
                .text = "HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n"});
  EXPECT_TRUE(all.forget());
  const Error error = [&] {
    try {
      authorization_of(all);
    } catch (const Error& caught) {
      return caught;
    }
    return Error(ErrorKind::internal, "");
  }();
  EXPECT_EQ(error.kind(), ErrorKind::permission);
  EXPECT_THAT(error.describe_with_hint(), AllOf(HasSubstr("401"), Not(HasSubstr("s&cret"))));
}

TEST_F(AzureTokens, ComeForAWorkloadIdentity) {
  const TempDir directory;
  write_text(directory.path() / "token", "of-the-pod\n");
  variables_.insert({{"AZURE_TENANT_ID", "tenant"},
                     {"AZURE_CLIENT_ID", "client"},
                     {"AZURE_FEDERATED_TOKEN_FILE", (directory.path() / "token").string()}});
  answer("POST", "/tenant/oauth2/v2.0/token", "federated");
  EXPECT_EQ(authorization(), "Bearer federated");
  EXPECT_THAT(servers_.bodies().at(0), HasSubstr("client_assertion=of-the-pod"));
}

TEST_F(AzureTokens, ComeFromTheMachine) {
  const auto identity = object_store::AzureCredential::managed_identity;
  answer("GET", "/metadata/identity/oauth2/token?", "machine", 2);
  EXPECT_EQ(authorization(), "Bearer machine");
  variables_["AZURE_STORAGE_CONNECTION_STRING"] = AzureServer::is_available()
                                                      ? AzureServer::shared().connection_string()
                                                      : "UseDevelopmentStorage=true";
  EXPECT_EQ(authorization(identity), "Bearer machine") << "what was asked for goes first";
  variables_["IDENTITY_ENDPOINT"] = servers_.endpoint() + "/msi/token";
  variables_["IDENTITY_HEADER"] = "of-the-app";
  answer("GET", "/msi/token?", "app");
  EXPECT_EQ(authorization(identity), "Bearer app");
}

TEST_F(AzureTokens, ComeFromTheCommandLine) {
  const TempDir directory;
  const auto program = directory.path() / "az";
  write_text(program,
             "#!/bin/sh\n[ \"$1 $2\" = 'account get-access-token' ] || exit 1\n"
             "echo '{\"accessToken\": \"cli\", \"expires_on\": 4102444800}'\n");
  std::filesystem::permissions(program, std::filesystem::perms(0755));
  const std::string path = getenv("PATH");  // NOLINT(concurrency-mt-unsafe)
  setenv("PATH", (directory.path().string() + ":" + path).c_str(), 1);  // NOLINT
  const auto cli = object_store::AzureCredential::azure_cli;
  EXPECT_EQ(authorization(cli), "Bearer cli");
  write_text(program, "#!/bin/sh\necho 'please sign in' >&2\nexit 1\n");
  std::string message;
  try {
    authorization(cli);
  } catch (const Error& error) {
    message = error.message();
  }
  setenv("PATH", path.c_str(), 1);  // NOLINT(concurrency-mt-unsafe)
  EXPECT_THAT(message, HasSubstr("no credentials for Azure are found (azure-cli: exit code 1: "
                                 "please sign in)"));
}

}  // namespace
}  // namespace barman::test
