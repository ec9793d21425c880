// The drivers for buckets on real stores. First what every storage must do, then, for S3 on Ceph's
// radosgw, what only buckets have.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <thread>

#include "base/error.h"
#include "base/test_interrupt.h"
#include "object_store/s3_client.h"
#include "storage/conformance_suite.h"
#include "storage/withheld_object.h"
#include "support/azure_container.h"
#include "support/bucket.h"
#include "support/object_server.h"
#include "system/google_server.h"

namespace barman::storage {
namespace {

// Each place has a prefix of its own in the one bucket.
std::unique_ptr<Storage> make_s3(const std::filesystem::path& directory) {
  return test::open_bucket("conformance", directory.filename().string() + "/below",
                           test::store_options(test::ObjectServer::shared()));
}

std::unique_ptr<Storage> make_google(const std::filesystem::path& directory) {
  return test::open_google(directory.filename().string() + "/below",
                           test::GoogleServer::shared().options());
}

std::unique_ptr<Storage> make_azure(const std::filesystem::path& directory) {
  return test::open_container(directory.filename().string() + "/below", test::azure_options());
}

constexpr int kFaultStride = 3;
INSTANTIATE_TEST_SUITE_P(Buckets, StorageConformance,
                         testing::Values(Driver{"Radosgw", make_s3, kFaultStride},
                                         Driver{"RadosgwBehindGoogle", make_google, kFaultStride},
                                         Driver{"Azurite", make_azure, kFaultStride}),
                         driver_name);

}  // namespace
}  // namespace barman::storage

namespace barman::test {
namespace {

using object_store::ObjectStore;
using object_store::StoreError;
using object_store::StoreOptions;
using storage::IfPresent;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

std::string pattern(std::size_t size) {
  std::string content(size, '\0');
  std::uint64_t state = 1;
  for (std::size_t offset = 0; offset + sizeof state <= size; offset += sizeof state) {
    state = state * 6'364'136'223'846'793'005U + 1'442'695'040'888'963'407U;
    std::memcpy(content.data() + offset, &state, sizeof state);
  }
  return content;
}

void put(ObjectStore& store, const std::string& key, const std::string& content,
         const object_store::UploadOptions& options = {}) {
  const auto sink = store.upload(key, options);
  for (std::size_t offset = 0; offset < content.size(); offset += 1'000'000) {
    sink->write(as_bytes(std::string_view(content).substr(offset, 1'000'000)));
  }
  sink->finish();
}

std::string get(const ObjectStore& store, const std::string& key) {
  const auto file = store.open(key);
  std::string content(static_cast<std::size_t>(file->size_bytes()), '\0');
  std::size_t done = 0;
  // As a reader of a stream does.
  while (done < content.size()) {
    done += file->read_at(
        done, std::as_writable_bytes(std::span(content))
                  .subspan(done, std::min<std::size_t>(content.size() - done, 999'999)));
  }
  return content;
}

template <typename Action>
Error error_of(const Action& action) {
  try {
    action();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "nothing was thrown";
  return {ErrorKind::internal, ""};
}

class Bucket : public testing::Test {
 protected:
  static StoreOptions options() { return store_options(ObjectServer::shared()); }
  std::unique_ptr<ObjectStore> store(const StoreOptions& chosen = options()) const {
    return open_bucket("bucket", name_, chosen);
  }
  const std::string name_ = testing::UnitTest::GetInstance()->current_test_info()->name();
};

TEST_F(Bucket, TakesAnObjectInParts) {
  StoreOptions chosen = options();
  chosen.part_size_bytes = 1;  // becomes S3's smallest
  chosen.jobs = 3;
  const auto bucket = store(chosen);
  const std::string content = pattern(16'000'001);
  put(*bucket, "a/large", content);
  EXPECT_TRUE(get(*bucket, "a/large") == content);
  EXPECT_EQ(bucket->find("a/large")->size_bytes, content.size());
  EXPECT_THAT(bucket->list_unfinished(""), IsEmpty());
  // Exactly as large as its parts.
  const std::string full = pattern(std::size_t{10} << 20);
  put(*bucket, "full", full, {.if_present = IfPresent::refuse});
  EXPECT_TRUE(get(*bucket, "full") == full);
  EXPECT_EQ(error_of([&] {
              put(*bucket, "full", pattern(5'500'000), {.if_present = IfPresent::refuse});
            }).kind(),
            ErrorKind::conflict);
  EXPECT_TRUE(get(*bucket, "full") == full);
  EXPECT_THAT(bucket->list_unfinished(""), IsEmpty()) << "the refused one is aborted";
}

TEST_F(Bucket, AbortsWhatIsGivenUp) {
  StoreOptions chosen = options();
  chosen.part_size_bytes = 5 << 20;
  TestInterrupt interrupt;
  chosen.interrupt = interrupt.get();
  const auto bucket = store(chosen);
  {
    const auto sink = bucket->create("given/up", IfPresent::replace);
    sink->write(as_bytes(pattern(11'000'000)));
    const auto unfinished = store()->list_unfinished("given/");
    ASSERT_THAT(unfinished, SizeIs(1));
    EXPECT_EQ(unfinished[0].key, "given/up");
    interrupt.request();
    EXPECT_EQ(error_of([&] {
                sink->write(as_bytes(pattern(6'000'000)));
                sink->finish();
              }).kind(),
              ErrorKind::interrupted);
  }
  EXPECT_THAT(store()->list_unfinished(""), IsEmpty()) << "also after an interrupt";
  EXPECT_FALSE(store()->find("given/up"));
}

TEST_F(Bucket, ListsAndRemovesMoreThanAPage) {
  const auto bucket = store();
  constexpr unsigned kThreads = 4;
  // The server's pages have 100 names, a request for deletion 1,000.
  constexpr unsigned kCount = 304;
  constexpr unsigned kMissing = 800;
  {
    std::vector<std::jthread> threads;
    for (unsigned first = 0; first < kThreads; ++first) {
      threads.emplace_back([&, first] {
        for (unsigned i = first; i < kCount; i += kThreads) {
          put(*bucket, fmt::format("dir{}/{:04}", i % 3, i), "x");
        }
      });
    }
  }
  std::vector<std::string> keys;
  bucket->list("", [&](const storage::ObjectFacts& facts) { keys.push_back(facts.key); });
  EXPECT_EQ(keys.size(), kCount);
  EXPECT_TRUE(std::ranges::is_sorted(keys));
  EXPECT_THAT(bucket->list_directories(""), ElementsAre("dir0", "dir1", "dir2"));
  EXPECT_THAT(bucket->list_directories("dir0/"), IsEmpty());
  for (unsigned i = 0; i < kMissing; ++i) keys.push_back(fmt::format("missing/{}", i));
  bucket->remove(keys);
  bucket->list("", [](const storage::ObjectFacts& facts) { ADD_FAILURE() << facts.key; });
}

TEST_F(Bucket, TakesEveryName) {
  const auto bucket = store();
  const std::vector<std::string> names = {"a b",           "a+b",
                                          "a%2Fb",         "a&b<c>\"d'",
                                          "a=b?c#d",       "\xc3\xa4\xe2\x82\xac",
                                          "a~b!$(*)_,;:@", "main/base/20260101T000000/data.tar.gz"};
  for (const std::string& name : names) {
    put(*bucket, name, name);
    EXPECT_EQ(get(*bucket, name), name);
    EXPECT_TRUE(bucket->find(name)) << name;
  }
  std::vector<std::string> listed;
  bucket->list("", [&](const storage::ObjectFacts& facts) { listed.push_back(facts.key); });
  std::vector<std::string> sorted = names;
  std::ranges::sort(sorted);
  EXPECT_EQ(listed, sorted);
  bucket->remove(names);
  for (const std::string& name : names) EXPECT_FALSE(bucket->find(name)) << name;
}

TEST_F(Bucket, LiesWhereTheUrlSays) {
  const auto above = open_bucket("bucket", "", options());
  const auto below = open_bucket("bucket", name_ + "/a/b", options());
  put(*below, "key", "content");
  EXPECT_EQ(get(*above, name_ + "/a/b/key"), "content");
  EXPECT_THAT(above->list_directories(name_ + "/"), ElementsAre(name_ + "/a"));
  EXPECT_THAT(above->list_directories(name_ + "/a/"), ElementsAre(name_ + "/a/b"));
  // Barman keeps the slash at the end of the path for some of its objects.
  object_store::StoreUrl url = bucket_url("bucket", name_ + "/a/b");
  url.prefix = name_ + "/a/b/";
  const auto doubled = object_store::open_store(url, options());
  put(*doubled, "key", "other");
  EXPECT_EQ(get(*doubled, "key"), "other");
  EXPECT_EQ(get(*below, "key"), "content");
}

TEST_F(Bucket, KeepsTheKeyOfTheCustomerWithTheCustomer) {
  StoreOptions chosen = options();
  chosen.part_size_bytes = 5 << 20;
  chosen.sse_customer_key = std::string(32, 'k');
  const auto bucket = store(chosen);
  const std::string content = pattern(5'500'000);
  put(*bucket, "large", content);
  put(*bucket, "small", "small");
  EXPECT_TRUE(get(*bucket, "large") == content);
  EXPECT_EQ(get(*bucket, "small"), "small");
  EXPECT_TRUE(bucket->find("small"));
  EXPECT_THROW(store()->open("small"), storage::WithheldObject);
  chosen.sse_customer_key = std::string(32, 'w');
  EXPECT_THROW(store(chosen)->open("small"), storage::WithheldObject) << "a wrong key";
  chosen.encryption = "AES256";
  EXPECT_EQ(error_of([&] { store(chosen); }).kind(), ErrorKind::config);
  chosen.encryption = "";
  chosen.endpoint_url = "http://store.example";
  EXPECT_THAT(error_of([&] { object_store::open_store(bucket_url("b"), chosen); }).message(),
              HasSubstr("without TLS"));
}

TEST_F(Bucket, TakesTagsAndKmsKeys) {
  StoreOptions chosen = options();
  chosen.tags = {{"team", "data base"}, {"a+b", "c=d"}};
  chosen.encryption = "aws:kms";
  chosen.sse_kms_key_id = "testkey-1";
  const auto bucket = store(chosen);
  put(*bucket, "small", "small");
  EXPECT_EQ(get(*bucket, "small"), "small");
  put(*bucket, "untagged", "x", {.tags = object_store::ObjectTags()});
  object_store::S3Client client(bucket_url("bucket", name_), options());
  const auto tags_of = [&](const std::string& key) {
    return client
        .send({.operation = "GetObjectTagging",
               .action = "cannot read the tags of",
               .key = key,
               .query = {{"tagging", ""}}})
        .body;
  };
  EXPECT_THAT(tags_of("small"), AllOf(HasSubstr("<Key>team</Key><Value>data base</Value>"),
                                      HasSubstr("<Key>a+b</Key><Value>c=d</Value>")));
  EXPECT_THAT(tags_of("untagged"), Not(HasSubstr("<Key>")));
  chosen.sse_kms_key_id = "unknown";
  const Error error = error_of([&] { put(*store(chosen), "unknown", "x"); });
  EXPECT_THAT(error.message(), HasSubstr("PutObject"));
}

TEST_F(Bucket, ReadsOneVersionOrThrows) {
  const auto bucket = store();
  const std::string content = pattern(3'000'000);
  put(*bucket, "a", content);
  const auto file = bucket->open("a");
  put(*bucket, "a", pattern(3'000'001));
  std::string buffer(1'000'000, '\0');
  const Error error =
      error_of([&] { file->read_at(1'500'000, std::as_writable_bytes(std::span(buffer))); });
  EXPECT_EQ(error.kind(), ErrorKind::io);
  EXPECT_THAT(error.message(), HasSubstr("was replaced or removed while it was read"));
}

TEST_F(Bucket, SaysWhatIsWrong) {
  const auto bucket = store();
  EXPECT_NO_THROW(bucket->check_bucket());
  EXPECT_TRUE(bucket->bucket_exists());
  const auto missing = object_store::open_store(bucket_url("no-such-bucket"), options());
  EXPECT_FALSE(missing->bucket_exists());
  EXPECT_EQ(error_of([&] { missing->check_bucket(); }).message(),
            "Bucket no-such-bucket does not exist");
  EXPECT_EQ(error_of([&] { put(*missing, "a", "x"); }).kind(), ErrorKind::config);
  EXPECT_EQ(error_of([&] { missing->open("a"); }).kind(), ErrorKind::config)
      << "not as if the object were missing";
  EXPECT_EQ(error_of([&] { static_cast<void>(missing->find("a")); }).kind(), ErrorKind::config);
  EXPECT_EQ(error_of([&] { missing->list("", [](const auto&) {}); }).kind(), ErrorKind::config);

  StoreOptions wrong = options();
  wrong.environment = [given = wrong.environment](const std::string& name) {
    if (name == "AWS_SECRET_ACCESS_KEY") return std::optional<std::string>("not-the-secret");
    return given(name);
  };
  const auto denied = object_store::open_store(bucket_url("bucket"), wrong);
  const Error error = error_of([&] { put(*denied, "a", "x"); });
  EXPECT_EQ(error.kind(), ErrorKind::permission);
  EXPECT_THAT(error.message(),
              AllOf(HasSubstr("\"s3://bucket/a\""), HasSubstr("SignatureDoesNotMatch"),
                    HasSubstr("PutObject, HTTP status 403, request tx")));
  EXPECT_THAT(error.hint(), HasSubstr("AWS_SECRET_ACCESS_KEY"));
  EXPECT_THAT(error.describe_with_hint(), Not(HasSubstr("not-the-secret")));
  EXPECT_THAT(error_of([&] { denied->check_bucket(); }).message(),
              HasSubstr("Permission denied when accessing bucket 'bucket'. Verify that the "
                        "configured credentials have sufficient permissions: "));

  StoreOptions nowhere = options();
  nowhere.endpoint_url = "http://127.0.0.1:1";
  const auto unreachable = object_store::open_store(bucket_url("bucket"), nowhere);
  const Error connection = error_of([&] { unreachable->check_bucket(); });
  EXPECT_EQ(connection.kind(), ErrorKind::connection);
  EXPECT_THAT(connection.message(), HasSubstr("cannot reach \"http://127.0.0.1:1\""));
  nowhere.environment = [](const std::string& name) {
    return name == "AWS_EC2_METADATA_DISABLED" ? std::optional<std::string>("true") : std::nullopt;
  };
  EXPECT_THAT(error_of([&] {
                object_store::open_store(bucket_url("bucket"), nowhere)->check_bucket();
              }).message(),
              HasSubstr("Unable to locate credentials"));
}

}  // namespace
}  // namespace barman::test
