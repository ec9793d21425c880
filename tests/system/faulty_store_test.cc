// An object store that misbehaves (support/store_proxy.h): each request ends right, or is told.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <span>

#include <fmt/format.h>

#include "base/error.h"
#include "support/bucket.h"
#include "support/object_server.h"
#include "support/store_proxy.h"

namespace barman::test {
namespace {

using object_store::ObjectStore;
using object_store::StoreOptions;
using storage::IfPresent;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using Kind = StoreProxy::Kind;

class FaultyStore : public testing::Test {
 protected:
  FaultyStore() {
    options_.endpoint_url = proxy_.endpoint();
    options_.part_size_bytes = 5 << 20;
    store_ = open_bucket("faulty", name_, options_);
    honest_ = object_store::open_store(bucket_url("faulty", name_), store_options(server_));
    proxy_.reset();
  }

  void put(const std::string& key, const std::string& content,
           IfPresent if_present = IfPresent::replace) {
    const auto sink = store_->create(key, if_present);
    sink->write(as_bytes(content));
    sink->finish();
  }
  std::string get(const ObjectStore& store, const std::string& key) const {
    const auto file = store.open(key);
    std::string content(static_cast<std::size_t>(file->size_bytes()), '\0');
    content.resize(file->read_at(0, std::as_writable_bytes(std::span(content))));
    return content;
  }
  template <typename Action>
  Error error_of(const Action& action) const {
    try {
      action();
    } catch (const Error& error) {
      return error;
    }
    ADD_FAILURE() << "nothing was thrown";
    return {ErrorKind::internal, ""};
  }

  const std::string name_ = testing::UnitTest::GetInstance()->current_test_info()->name();
  // Two parts.
  const std::string large_ = std::string(5'500'000, 'l') + std::string(500'000, 'm');
  ObjectServer& server_ = ObjectServer::shared();
  StoreProxy proxy_{server_.port()};
  StoreOptions options_ = store_options(server_);
  std::unique_ptr<ObjectStore> store_;
  std::unique_ptr<ObjectStore> honest_;
};

TEST_F(FaultyStore, IsAskedAgainWhenItIsBusy) {
  for (const auto& [status, code] :
       {std::pair(503, "SlowDown"), std::pair(500, "InternalError"),
        std::pair(429, "TooManyRequests"), std::pair(400, "RequestTimeout"),
        std::pair(409, "OperationAborted")}) {
    proxy_.add({.method = "PUT",
                .times = 3,
                .kind = Kind::answer,
                .text = StoreProxy::error_answer(status, code)});
    put("a", code);
    EXPECT_EQ(get(*honest_, "a"), code) << "the body was sent again from its beginning";
    EXPECT_EQ(proxy_.count("PUT"), 4U) << code;
    proxy_.reset();
  }
}

TEST_F(FaultyStore, IsGivenUpInTheEnd) {
  proxy_.add(
      {.times = 100, .kind = Kind::answer, .text = StoreProxy::error_answer(503, "SlowDown")});
  const Error error = error_of([&] { put("a", "x"); });
  EXPECT_EQ(error.kind(), ErrorKind::remote);
  EXPECT_THAT(error.message(),
              AllOf(HasSubstr("SlowDown: as the test wants it"),
                    HasSubstr("PutObject, HTTP status 503, request test-request")));
  EXPECT_EQ(proxy_.count("PUT"), 5U);
  proxy_.reset();
  proxy_.add({.times = 100, .kind = Kind::request_lost});
  EXPECT_EQ(error_of([&] { static_cast<void>(store_->find("a")); }).kind(), ErrorKind::connection);
}

TEST_F(FaultyStore, MayLoseAnyRequestOfAnUpload) {
  for (const Kind kind : {Kind::request_lost, Kind::answer_lost}) {
    for (const char* method : {"POST", "PUT"}) {
      for (const unsigned skipped : {0U, 1U}) {
        proxy_.reset();
        proxy_.add({.method = method, .skipped = skipped, .kind = kind});
        const std::string key = fmt::format("{}-{}-{}", method, skipped, int(kind));
        put(key, large_);
        EXPECT_TRUE(get(*honest_, key) == large_) << key;
      }
    }
  }
  // An upload that was begun twice is nobody's.
  EXPECT_LE(honest_->list_unfinished("").size(), 1U);
}

TEST_F(FaultyStore, KnowsItsOwnObjectWhenTheAnswerWasLost) {
  proxy_.add({.method = "PUT", .kind = Kind::answer_lost});
  put("small", "ours", IfPresent::refuse);
  EXPECT_EQ(get(*honest_, "small"), "ours");
  proxy_.add({.method = "POST", .target = "uploadId=", .kind = Kind::answer_lost});
  put("large", large_, IfPresent::refuse);
  EXPECT_TRUE(get(*honest_, "large") == large_);
  EXPECT_EQ(error_of([&] { put("small", "theirs", IfPresent::refuse); }).kind(),
            ErrorKind::conflict);
  EXPECT_EQ(get(*honest_, "small"), "ours");
}

TEST_F(FaultyStore, MayKnowNoConditions) {
  proxy_.add({.method = "PUT",
              .kind = Kind::answer,
              .text = StoreProxy::error_answer(501, "NotImplemented")});
  put("a", "first", IfPresent::refuse);
  EXPECT_EQ(get(*honest_, "a"), "first");
  proxy_.reset();
  EXPECT_EQ(error_of([&] { put("a", "second", IfPresent::refuse); }).kind(), ErrorKind::conflict);
  EXPECT_EQ(proxy_.count("PUT"), 0U) << "asked before";
}

TEST_F(FaultyStore, MayFailBehindAGoodStatus) {
  const std::string failure = StoreProxy::error_answer(200, "InternalError");
  proxy_.add({.method = "POST", .target = "uploadId=", .kind = Kind::answer, .text = failure});
  put("large", large_);
  EXPECT_TRUE(get(*honest_, "large") == large_);
  proxy_.add({.method = "POST",
              .target = "uploadId=",
              .times = 100,
              .kind = Kind::answer,
              .text = failure});
  const Error error = error_of([&] { put("never", large_); });
  EXPECT_THAT(error.message(), HasSubstr("InternalError"));
  EXPECT_FALSE(honest_->find("never"));
  EXPECT_THAT(honest_->list_unfinished(""), IsEmpty());
}

TEST_F(FaultyStore, MayCutWhatIsRead) {
  put("large", large_);
  proxy_.reset();
  // The first 256 KiB, then the rest.
  proxy_.add({.method = "GET", .kind = Kind::cut, .bytes = 1000});
  for (const std::size_t bytes : {100'000U, 0U, 5'000'000U, 1U}) {
    proxy_.add({.method = "GET", .kind = Kind::cut, .bytes = bytes});
  }
  EXPECT_TRUE(get(*store_, "large") == large_);
  proxy_.add({.method = "GET", .skipped = 1, .times = 100, .kind = Kind::cut, .bytes = 10});
  EXPECT_EQ(error_of([&] { get(*store_, "large"); }).kind(), ErrorKind::connection)
      << "it must not go on for ever with ten bytes at a time";
}

TEST_F(FaultyStore, MayTellWrongLengths) {
  put("a", "0123456789");
  proxy_.add({.method = "GET",
              .kind = Kind::answer,
              .text = "HTTP/1.1 206 Answer\r\nContent-Range: bytes 0-9/10\r\nContent-Length: "
                      "12\r\n\r\n012345678912"});
  EXPECT_THAT(error_of([&] { get(*store_, "a"); }).message(), HasSubstr("range"));
  proxy_.add({.method = "GET",
              .kind = Kind::answer,
              .text = "HTTP/1.1 206 Answer\r\nContent-Range: bytes 5-9/10\r\nContent-Length: "
                      "5\r\n\r\n56789"});
  EXPECT_THAT(error_of([&] { get(*store_, "a"); }).message(), HasSubstr("range"));
  proxy_.add({.method = "GET",
              .kind = Kind::answer,
              .text = "HTTP/1.1 206 Answer\r\nContent-Range: bytes 0-4/10\r\nContent-Length: "
                      "5\r\n\r\n01234"});
  EXPECT_EQ(get(*store_, "a"), "0123456789") << "the rest is asked for";
  proxy_.add({.method = "GET",
              .kind = Kind::answer,
              .text = "HTTP/1.1 200 Answer\r\nContent-Length: 10\r\n\r\n0123456789"});
  EXPECT_EQ(get(*store_, "a"), "0123456789") << "a store without ranges, a small object";
}

TEST_F(FaultyStore, MayChangeWhatPasses) {
  put("a", "0123456789");
  proxy_.add({.method = "GET", .kind = Kind::change_body, .text = "3", .other = "4"});
  const Error error = error_of([&] { get(*store_, "a"); });
  EXPECT_EQ(error.kind(), ErrorKind::corrupt);
  EXPECT_THAT(error.message(), HasSubstr("its MD5 is another one"));
  EXPECT_EQ(get(*store_, "a"), "0123456789");
}

TEST_F(FaultyStore, MayHaveAnotherObjectThere) {
  put("large", large_);
  proxy_.reset();
  const auto file = store_->open("large");
  proxy_.add({.method = "GET",
              .kind = Kind::answer,
              .text = StoreProxy::error_answer(412, "PreconditionFailed")});
  std::string buffer(100, '\0');
  EXPECT_EQ(
      error_of([&] { file->read_at(1'000'000, std::as_writable_bytes(std::span(buffer))); }).kind(),
      ErrorKind::io);
  // The answer to the last HEAD is of another object: an upload that was lost on the way.
  proxy_.add({.method = "HEAD",
              .kind = Kind::change_head,
              .text = "ength: 6000000",
              .other = "ength: 5999999"});
  EXPECT_EQ(error_of([&] { put("short", large_); }).kind(), ErrorKind::corrupt);
}

TEST_F(FaultyStore, MayBeInAnotherRegion) {
  const std::string where = "x-amz-bucket-region: us-east-1\r\n";
  options_.region = "eu-west-1";
  store_ = object_store::open_store(bucket_url("faulty", name_), options_);
  proxy_.add({.method = "PUT",
              .kind = Kind::answer,
              .text = StoreProxy::error_answer(301, "PermanentRedirect", where)});
  put("a", "x");
  EXPECT_EQ(proxy_.count("PUT"), 2U);
  proxy_.reset();
  put("b", "x");
  EXPECT_EQ(proxy_.count("PUT"), 1U) << "it knows now";
  proxy_.add({.method = "GET",
              .times = 100,
              .kind = Kind::answer,
              .text = StoreProxy::error_answer(301, "PermanentRedirect", where)});
  EXPECT_THAT(error_of([&] { get(*store_, "a"); }).message(), HasSubstr("PermanentRedirect"))
      << "a redirect to where we are";
}

TEST_F(FaultyStore, MaySendUsElsewhereForOneRequest) {
  StoreProxy other(server_.port());
  proxy_.add(
      {.method = "PUT",
       .kind = Kind::answer,
       .text = StoreProxy::error_answer(
           307, "TemporaryRedirect", fmt::format("Location: {}/faulty/x\r\n", other.endpoint()))});
  put("a", "there");
  EXPECT_EQ(get(*honest_, "a"), "there");
  EXPECT_EQ(other.count("PUT"), 1U);
}

TEST_F(FaultyStore, MayThinkThatOurClockIsWrong) {
  proxy_.add({.method = "PUT",
              .kind = Kind::answer,
              .text = StoreProxy::error_answer(403, "RequestTimeTooSkewed",
                                               "Date: Sat, 01 Jan 2000 00:00:00 GMT\r\n")});
  const Error error = error_of([&] { put("a", "x"); });
  EXPECT_THAT(error.message(), HasSubstr("RequestTimeTooSkewed"))
      << "the real store does not believe the other time";
  EXPECT_EQ(proxy_.count("PUT"), 2U);
  // The answer to HEAD has no code: its time tells.
  proxy_.reset();
  proxy_.add({.method = "HEAD",
              .kind = Kind::answer,
              .text = "HTTP/1.1 403 Forbidden\r\nDate: Fri, 01 Jan 2010 00:00:00 GMT\r\n"
                      "Content-Length: 0\r\n\r\n"});
  EXPECT_THAT(error_of([&] { store_->check_bucket(); }).message(), HasSubstr("Permission denied"));
  EXPECT_EQ(proxy_.count("HEAD"), 2U);
}

TEST_F(FaultyStore, MayCallTheTokenExpired) {
  const std::string expired = StoreProxy::error_answer(400, "ExpiredToken");
  proxy_.add({.method = "PUT", .times = 100, .kind = Kind::answer, .text = expired});
  EXPECT_THAT(error_of([&] { put("a", "x"); }).message(), HasSubstr("ExpiredToken"))
      << "these keys are all there is";
  EXPECT_EQ(proxy_.count("PUT"), 1U);
}

TEST_F(FaultyStore, MaySayNothing) {
  options_.read_timeout = std::chrono::seconds(1);
  options_.max_attempts = 2;
  store_ = object_store::open_store(bucket_url("faulty", name_), options_);
  proxy_.add({.method = "HEAD", .kind = Kind::stall});
  EXPECT_FALSE(store_->find("a")) << "the second attempt is answered";
}

TEST_F(FaultyStore, MayRefuseToDeleteTogether) {
  put("a", "x");
  put("b", "x");
  const std::vector<std::string> keys = {"a", "b"};
  proxy_.add({.method = "POST",
              .kind = Kind::answer,
              .text = StoreProxy::error_answer(400, "MissingContentMD5")});
  store_->remove(keys);
  EXPECT_FALSE(honest_->find("a"));
  EXPECT_FALSE(honest_->find("b"));
  EXPECT_EQ(proxy_.count("DELETE"), 2U);
  put("a", "x");
  const std::string refusal =
      "<DeleteResult><Error><Key>a</Key><Code>AccessDenied</Code><Message>locked</Message></Error>"
      "</DeleteResult>";
  proxy_.add({.method = "POST",
              .kind = Kind::answer,
              .text = fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{}", refusal.size(),
                                  refusal)});
  EXPECT_THAT(error_of([&] { store_->remove(keys); }).message(),
              HasSubstr("Bulk deletion of object a failed with error code: \"AccessDenied\""));
}

}  // namespace
}  // namespace barman::test
