// What a bucket of S3 imposes on its objects, on Ceph's radosgw: locks, versions, storage classes,
// quotas; and what is left behind, and TLS.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "base/error.h"
#include "base/timestamp.h"
#include "object_store/aws_answers.h"
#include "object_store/s3_client.h"
#include "support/bucket.h"
#include "support/object_server.h"
#include "support/store_proxy.h"

namespace barman::test {
namespace {

using object_store::LockMode;
using object_store::ObjectLockRule;
using object_store::ObjectStore;
using object_store::S3Client;
using object_store::StoreOptions;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr std::int64_t kDaySeconds = 86'400;

class BucketRules : public testing::Test {
 protected:
  static StoreOptions options() { return store_options(ObjectServer::shared()); }

  static void put(ObjectStore& store, const std::string& key, const std::string& content,
                  const object_store::UploadOptions& upload = {}) {
    const auto sink = store.upload(key, upload);
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
  static std::vector<object_store::ObjectVersion> versions(const std::string& bucket) {
    S3Client client(bucket_url(bucket), options());
    return object_store::parse_versions_page(client
                                                 .send({.operation = "ListObjectVersions",
                                                        .action = "cannot list",
                                                        .query = {{"versions", ""}}})
                                                 .body)
        .versions;
  }
};

TEST_F(BucketRules, LockWhatIsStored) {
  StoreOptions locking = options();
  locking.part_size_bytes = 5 << 20;
  locking.lock = ObjectLockRule{.mode = LockMode::compliance, .days = 2};
  locking.removes_versions = true;
  const auto store = open_bucket("locked", "", locking);
  const std::int64_t now = now_local().seconds();
  put(*store, "small", "small");
  const std::string content = std::string(6'000'000, 'l');
  put(*store, "large", content);
  for (const char* key : {"small", "large"}) {
    const auto lock = store->find_lock(key);
    ASSERT_TRUE(lock && lock->retain_until) << key;
    EXPECT_GE(lock->retain_until->seconds(), now + 2 * kDaySeconds) << key;
    EXPECT_LE(lock->retain_until->seconds(), now + 3 * kDaySeconds) << key;
  }
  const Timestamp until{.microseconds = (now + 10 * kDaySeconds) * 1'000'000};
  put(*store, "until", "x", {.retain_until = until});
  const auto lock = store->find_lock("until");
  ASSERT_TRUE(lock && lock->retain_until);
  EXPECT_EQ(lock->retain_until->seconds(), until.seconds());
  EXPECT_THAT(object_store::reason_of_lock(*lock, now_local()),
              HasSubstr("Object is locked and can't be deleted until 20"));
  EXPECT_EQ(object_store::reason_of_lock(*lock, until), "") << "it is over";

  // Who has our keys deletes nothing.
  const std::vector<std::string> both = {"small", "large"};
  EXPECT_THAT(error_of([&] { store->remove(both); }).message(), HasSubstr("AccessDenied"));
  EXPECT_EQ(error_of([&] { store->remove(std::vector<std::string>{"small"}); }).kind(),
            ErrorKind::permission);
  EXPECT_TRUE(get(*store, "large") == content);
  EXPECT_EQ(get(*store, "small"), "small");

  const auto plain = open_bucket("locked", "", options());
  put(*plain, "free", "x");
  EXPECT_FALSE(plain->find_lock("free"));
  EXPECT_EQ(error_of([&] { static_cast<void>(plain->find_lock("missing")); }).kind(),
            ErrorKind::not_found);
  locking.lock->days = 0;
  EXPECT_EQ(error_of([&] { put(*open_bucket("locked", "", locking), "a", "x"); }).kind(),
            ErrorKind::config)
      << "without an end";
  locking.lock->days = 1;
  const auto unlockable = open_bucket("unlockable", "", options());
  EXPECT_THAT(error_of([&] {
                put(*object_store::open_store(bucket_url("unlockable"), locking), "a", "x");
              }).message(),
              HasSubstr("PutObject, HTTP status 400"))
      << "not as if it were locked";
}

TEST_F(BucketRules, RemoveVersionsWhenTheyAreAskedTo) {
  const auto store = open_bucket("versioned", "", options());
  S3Client client(bucket_url("versioned"), options());
  client.send({.operation = "PutBucketVersioning",
               .action = "cannot change",
               .method = "PUT",
               .query = {{"versioning", ""}},
               .body = as_bytes("<VersioningConfiguration xmlns=\"http://s3.amazonaws.com/doc/"
                                "2006-03-01/\"><Status>Enabled</Status>"
                                "</VersioningConfiguration>")});
  for (const char* key : {"a", "a", "ab", "b c"}) put(*store, key, "x");
  const std::vector<std::string> two = {"a", "b c"};
  store->remove(two);
  EXPECT_FALSE(store->find("a"));
  EXPECT_THAT(versions("versioned"), SizeIs(6)) << "they are only hidden";
  StoreOptions removing = options();
  removing.removes_versions = true;
  const auto thorough = open_bucket("versioned", "", removing);
  thorough->remove(two);
  const auto left = versions("versioned");
  ASSERT_THAT(left, SizeIs(1));
  EXPECT_EQ(left[0].key, "ab");
  EXPECT_TRUE(store->find("ab"));
  thorough->remove(std::vector<std::string>{"ab"});
  EXPECT_THAT(versions("versioned"), IsEmpty());
}

TEST_F(BucketRules, LetUploadsOfTheDeadBeFoundAndRemoved) {
  const auto store = open_bucket("leftovers", "prefix", options());
  S3Client client(bucket_url("leftovers", "prefix"), options());
  for (const char* key : {"main/a", "other/b"}) {
    client.send({.operation = "CreateMultipartUpload",
                 .action = "cannot store",
                 .method = "POST",
                 .key = key,
                 .query = {{"uploads", ""}}});
  }
  const Timestamp now = now_local();
  const auto moved = [&](std::int64_t seconds) {
    return Timestamp{.microseconds = now.microseconds + seconds * 1'000'000};
  };
  EXPECT_THAT(store->list_leftovers("main/", moved(-kDaySeconds)), IsEmpty())
      << "they may be under way";
  const auto old = store->list_leftovers("main/", moved(kDaySeconds));
  ASSERT_THAT(old, SizeIs(1));
  EXPECT_EQ(old[0].key, "main/a");
  store->abort_unfinished(old[0]);
  const auto left = store->list_unfinished("");
  ASSERT_THAT(left, SizeIs(1));
  EXPECT_EQ(left[0].key, "other/b");
}

TEST_F(BucketRules, TellOfAQuotaAndOfABucketThatDisappears) {
  const ObjectServer& server = ObjectServer::shared();
  server.admin({"user", "create", "--uid=small", "--display-name=small", "--access-key=SMALL",
                "--secret-key=small"});
  server.admin({"quota", "set", "--uid=small", "--quota-scope=bucket", "--max-size=1048576"});
  server.admin({"quota", "enable", "--uid=small", "--quota-scope=bucket"});
  StoreOptions small = options();
  small.environment = [given = small.environment](const std::string& name) {
    if (name == "AWS_ACCESS_KEY_ID") return std::optional<std::string>("SMALL");
    if (name == "AWS_SECRET_ACCESS_KEY") return std::optional<std::string>("small");
    return given(name);
  };
  const auto store = open_bucket("quota", "", small);
  const Error error = error_of([&] { put(*store, "large", std::string(6'000'000, 'q')); });
  EXPECT_THAT(error.message(), HasSubstr("QuotaExceeded"));
  EXPECT_THAT(error.hint(), HasSubstr("Delete old backups"));
  EXPECT_FALSE(store->find("large"));
  EXPECT_THAT(store->list_unfinished(""), IsEmpty());

  S3Client client(bucket_url("quota"), small);
  client.send({.operation = "DeleteBucket", .action = "cannot delete", .method = "DELETE"});
  EXPECT_EQ(error_of([&] { put(*store, "a", "x"); }).kind(), ErrorKind::config);
  EXPECT_EQ(error_of([&] { store->open("a"); }).kind(), ErrorKind::config);
  EXPECT_EQ(error_of([&] { store->list("", [](const auto&) {}); }).kind(), ErrorKind::config);
  EXPECT_EQ(error_of([&] { store->remove(std::vector<std::string>{"a"}); }).kind(),
            ErrorKind::config);
}

TEST_F(BucketRules, AreAskedForOverTls) {
  const ObjectServer& server = ObjectServer::shared();
  StoreOptions secure = options();
  secure.endpoint_url = server.tls_endpoint();
  secure.part_size_bytes = 5 << 20;
  secure.max_attempts = 1;
  const auto stranger = object_store::open_store(bucket_url("tls"), secure);
  const Error error = error_of([&] { stranger->check_bucket(); });
  EXPECT_EQ(error.kind(), ErrorKind::connection);
  EXPECT_THAT(error.describe_with_hint(), HasSubstr("Set AWS_CA_BUNDLE"));
  secure.environment = [given = secure.environment, &server](const std::string& name) {
    if (name == "AWS_CA_BUNDLE") return std::optional<std::string>(server.certificate_file());
    return given(name);
  };
  const auto store = open_bucket("tls", "", secure);
  const std::string content = std::string(6'000'000, 't');
  put(*store, "large", content);
  EXPECT_TRUE(get(*store, "large") == content);
  const std::string missing = "/no/such/bundle";
  secure.environment = [given = secure.environment, &missing](const std::string& name) {
    return name == "AWS_CA_BUNDLE" ? std::optional<std::string>(missing) : given(name);
  };
  EXPECT_THAT(error_of([&] {
                object_store::open_store(bucket_url("tls"), secure)->check_bucket();
              }).message(),
              HasSubstr(missing));
}

TEST_F(BucketRules, HaveClassesOfStorage) {
  StoreProxy proxy(ObjectServer::shared().port());
  StoreOptions standard = options();
  standard.endpoint_url = proxy.endpoint();
  standard.storage_class = "STANDARD";
  std::string seen;
  proxy.rewrite(
      [&](const std::string& head) {
        seen += head;
        return head;
      },
      [](const std::string& head) { return head; });
  const auto store = open_bucket("classes", "", standard);
  put(*store, "a", "x");
  EXPECT_THAT(seen, HasSubstr("x-amz-storage-class: STANDARD"));
  StoreOptions unknown = options();
  unknown.storage_class = "NOT_THERE";
  EXPECT_THAT(error_of([&] {
                put(*object_store::open_store(bucket_url("classes"), unknown), "b", "x");
              }).message(),
              HasSubstr("PutObject, HTTP status"));
}

}  // namespace
}  // namespace barman::test
