// The driver for Google Cloud Storage, on what stands for it (google_server.h). The conformance
// suite is in object_store_test.cc.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

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
