// The driver for Azure's Blob service on its emulator. The conformance suite is in
// object_store_test.cc.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "base/error.h"
#include "support/azure_server.h"
#include "support/bucket.h"
#include "support/store_proxy.h"

namespace barman::test {
namespace {

using object_store::ObjectStore;
using object_store::StoreOptions;
using storage::IfPresent;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
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
  const std::string content = std::string(3'000'000, 'a') + std::string(3'000'001, 'b');
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
  const auto missing = object_store::open_store(
      object_store::parse_store_url(AzureServer::shared().account_url() + "/no-such-container",
                                    object_store::Provider::azure_blob_storage),
      azure_options());
  EXPECT_FALSE(missing->bucket_exists());
  EXPECT_EQ(error_of([&] { put(*missing, "a", "x"); }).kind(), ErrorKind::config);
  EXPECT_EQ(error_of([&] { static_cast<void>(missing->find("a")); }).kind(), ErrorKind::config);
  StoreOptions wrong = azure_options();
  wrong.environment = [](const std::string& name) -> std::optional<std::string> {
    if (name != "AZURE_STORAGE_CONNECTION_STRING") return std::nullopt;
    const std::string text = AzureServer::shared().connection_string();
    return replace_all(text, "AccountKey=Y", "AccountKey=Z");
  };
  const Error error = error_of([&] { open_container(name_, wrong); });
  EXPECT_EQ(error.kind(), ErrorKind::permission);
  EXPECT_THAT(error.message(), HasSubstr("HTTP status 403"));
}

TEST_F(AzureStore, KnowsItsOwnBlobWhenTheAnswerWasLost) {
  StoreProxy proxy(AzureServer::shared().port());
  StoreOptions options = azure_options();
  options.max_block_size_bytes = 1 << 20;
  options.environment = [&proxy](const std::string& name) -> std::optional<std::string> {
    if (name != "AZURE_STORAGE_CONNECTION_STRING") return std::nullopt;
    return replace_all(AzureServer::shared().connection_string(),
                       fmt::format(":{}/", AzureServer::shared().port()),
                       fmt::format(":{}/", proxy.port()));
  };
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
}

}  // namespace
}  // namespace barman::test
