// What every driver of storage must do, as tests that run with each of them: a program of tests
// includes this once and instantiates the suite with its drivers.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/test_support.h"
#include "storage/storage.h"
#include "storage/test_support.h"

namespace barman::storage {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Fault = FaultyStorage::Fault;

struct Driver {
  std::string name;
  std::function<std::unique_ptr<Storage>(const std::filesystem::path&)> make;
  // Where each step takes its time: of the faults every so many steps are tried, each step with one
  // of them (all with BARMAN_THOROUGH).
  int fault_stride = 1;
};

struct Place {
  explicit Place(const Driver& driver) : storage(driver.make(directory.path())) {}
  const TemporaryDirectory directory;
  const std::unique_ptr<Storage> storage;
};

void put(Storage& storage, const std::string& key, const std::string& content,
         IfPresent if_present = IfPresent::replace) {
  const auto sink = storage.create(key, if_present);
  // In pieces, as flows write.
  const std::size_t half = content.size() / 2;
  sink->write(as_bytes(content).first(half));
  sink->write(as_bytes(content).subspan(half));
  sink->finish();
}

std::string read_all(pipeline::ContentFile& file) {
  std::string content(static_cast<std::size_t>(file.size_bytes()) + 1, '\0');
  const auto buffer = std::as_writable_bytes(std::span(content));
  content.resize(file.read_at(0, buffer));
  return content;
}

std::string get(const Storage& storage, const std::string& key) {
  return read_all(*storage.open(key));
}

std::vector<std::string> list(const Storage& storage, std::string_view prefix = "") {
  std::vector<std::string> keys;
  storage.list(prefix, [&](const ObjectFacts& facts) { keys.push_back(facts.key); });
  return keys;
}

void remove(Storage& storage, const std::vector<std::string>& keys) { storage.remove(keys); }

ErrorKind kind_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.kind();
  }
  ADD_FAILURE() << "nothing was thrown";
  return ErrorKind::internal;
}

class StorageConformance : public testing::TestWithParam<Driver> {
 protected:
  const Place place_{GetParam()};
  Storage& storage_ = *place_.storage;
};

TEST_P(StorageConformance, GivesBackWhatItWasGiven) {
  std::string content(3'000'001, 'x');
  content[1'500'000] = '\0';
  put(storage_, "a/b/c", content);
  EXPECT_EQ(get(storage_, "a/b/c"), content);
  const auto facts = storage_.find("a/b/c");
  ASSERT_TRUE(facts);
  EXPECT_EQ(facts->key, "a/b/c");
  EXPECT_EQ(facts->size_bytes, content.size());
  EXPECT_GT(facts->mtime_seconds, 1'000'000'000);
  put(storage_, "empty", "");
  EXPECT_EQ(get(storage_, "empty"), "");
}

TEST_P(StorageConformance, ReadsAtAnyOffset) {
  put(storage_, "a", "0123456789");
  const auto file = storage_.open("a");
  std::string buffer(4, '-');
  const auto bytes = std::as_writable_bytes(std::span(buffer));
  EXPECT_EQ(file->read_at(5, bytes), 4U);
  EXPECT_EQ(buffer, "5678");
  EXPECT_EQ(file->read_at(8, bytes), 2U);
  EXPECT_EQ(buffer, "8978");
  EXPECT_EQ(file->read_at(10, bytes), 0U);
  EXPECT_EQ(file->read_at(1000, bytes), 0U);
}

TEST_P(StorageConformance, ShowsNothingBeforeTheEnd) {
  {
    const auto sink = storage_.create("a/b", IfPresent::replace);
    sink->write(as_bytes("half"));
    EXPECT_FALSE(storage_.find("a/b"));
    EXPECT_THAT(list(storage_), IsEmpty());
    EXPECT_EQ(kind_of([&] { storage_.open("a/b"); }), ErrorKind::not_found);
  }
  EXPECT_FALSE(storage_.find("a/b")) << "a Sink without finish() leaves nothing";
  EXPECT_THAT(list(storage_), IsEmpty());
}

TEST_P(StorageConformance, ReplacesAsAWhole) {
  put(storage_, "a", "the old one");
  const auto reader = storage_.open("a");
  {
    const auto sink = storage_.create("a", IfPresent::replace);
    sink->write(as_bytes("new"));
    EXPECT_EQ(get(storage_, "a"), "the old one");
  }
  EXPECT_EQ(get(storage_, "a"), "the old one") << "given up";
  put(storage_, "a", "new");
  EXPECT_EQ(get(storage_, "a"), "new");
  EXPECT_EQ(read_all(*reader), "the old one") << "opened before";
}

TEST_P(StorageConformance, RefusesATakenNameAtItsEnd) {
  const auto late = storage_.create("a", IfPresent::refuse);
  late->write(as_bytes("late"));
  put(storage_, "a", "first", IfPresent::refuse);
  EXPECT_EQ(kind_of([&] { late->finish(); }), ErrorKind::conflict);
  EXPECT_EQ(kind_of([&] { put(storage_, "a", "later", IfPresent::refuse); }), ErrorKind::conflict);
  EXPECT_EQ(get(storage_, "a"), "first");
  EXPECT_THAT(list(storage_), ElementsAre("a"));
}

TEST_P(StorageConformance, KeepsTwoWritersOfANameApart) {
  const auto one = storage_.create("a", IfPresent::replace);
  one->write(as_bytes("on"));
  const auto other = storage_.create("a", IfPresent::replace);
  other->write(as_bytes("oth"));
  one->write(as_bytes("e"));
  one->finish();
  EXPECT_EQ(get(storage_, "a"), "one");
  other->write(as_bytes("er"));
  other->finish();
  EXPECT_EQ(get(storage_, "a"), "other");
}

TEST_P(StorageConformance, ListsByPrefixInOrder) {
  for (const char* key : {"b", "a/2", "a/1/x", "a.b", "a/10", "ab/1", "a-b"}) {
    put(storage_, key, "x");
  }
  EXPECT_THAT(list(storage_), ElementsAre("a-b", "a.b", "a/1/x", "a/10", "a/2", "ab/1", "b"));
  EXPECT_THAT(list(storage_, "a/"), ElementsAre("a/1/x", "a/10", "a/2"));
  EXPECT_THAT(list(storage_, "a/1"), ElementsAre("a/1/x", "a/10"));
  EXPECT_THAT(list(storage_, "a"), ElementsAre("a-b", "a.b", "a/1/x", "a/10", "a/2", "ab/1"));
  EXPECT_THAT(list(storage_, "a/1/x"), ElementsAre("a/1/x"));
  EXPECT_THAT(list(storage_, "c/d"), IsEmpty());
  storage_.list("b", [&](const ObjectFacts& facts) { EXPECT_EQ(facts.size_bytes, 1U); });
}

TEST_P(StorageConformance, AnswersWhileItLists) {
  for (const char* key : {"a/1", "a/2", "b"}) put(storage_, key, key);
  std::vector<std::string> contents;
  storage_.list("", [&](const ObjectFacts& facts) {
    EXPECT_TRUE(storage_.find("b"));
    EXPECT_THAT(list(storage_, "a/"), ElementsAre("a/1", "a/2"));
    std::thread([&] { contents.push_back(get(storage_, facts.key)); }).join();
  });
  EXPECT_THAT(contents, ElementsAre("a/1", "a/2", "b"));
}

TEST_P(StorageConformance, RemovesForGood) {
  put(storage_, "a/1", "x");
  put(storage_, "a/2", "x");
  put(storage_, "b", "x");
  remove(storage_, {"a/1", "missing", "nowhere/at/all"});
  EXPECT_THAT(list(storage_), ElementsAre("a/2", "b"));
  EXPECT_FALSE(storage_.find("a/1"));
  remove(storage_, {"a/2", "b"});
  EXPECT_THAT(list(storage_), IsEmpty());
  put(storage_, "a/1", "again");
  EXPECT_EQ(get(storage_, "a/1"), "again");
}

TEST_P(StorageConformance, RefusesNamesThatLeaveTheirPlace) {
  for (const char* key : {"", "/a", "../a", "a/../b", "a//b", "a/", ".", "a.tmp"}) {
    EXPECT_EQ(kind_of([&] { storage_.create(key, IfPresent::replace); }), ErrorKind::corrupt);
    EXPECT_EQ(kind_of([&] { storage_.open(key); }), ErrorKind::corrupt) << key;
    EXPECT_EQ(kind_of([&] { static_cast<void>(storage_.find(key)); }), ErrorKind::corrupt);
    EXPECT_EQ(kind_of([&] { remove(storage_, {key}); }), ErrorKind::corrupt) << key;
  }
  EXPECT_EQ(kind_of([&] { list(storage_, "../"); }), ErrorKind::corrupt);
  EXPECT_EQ(kind_of([&] { list(storage_, "/etc/"); }), ErrorKind::corrupt);
}

TEST_P(StorageConformance, SaysWhatIsMissing) {
  EXPECT_FALSE(storage_.find("a/b"));
  try {
    storage_.open("a/b");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::not_found);
    EXPECT_THAT(error.message(), HasSubstr(storage_.describe("a/b")));
  }
}

// A story that replaces, creates and removes, with a fault at each of its steps: afterwards every
// name is as it was before that step or as it is after it, complete, and the same story told again
// comes to its end.
TEST_P(StorageConformance, IsCompleteOrAbsentAfterEachFault) {
  const std::string old_content(100'000, 'o');
  const std::string new_content(200'000, 'n');
  const auto story = [&](Storage& storage) {
    put(storage, "kept", new_content);
    put(storage, "dir/new", new_content, IfPresent::replace);
    EXPECT_TRUE(storage.find("dir/new"));
    EXPECT_EQ(get(storage, "kept"), new_content);
    remove(storage, {"old/1", "old/2"});
    EXPECT_THAT(list(storage), ElementsAre("dir/new", "kept"));
  };
  const auto distance = static_cast<std::uint64_t>(stride(GetParam().fault_stride));
  std::uint64_t first_step = 0;
  for (const Fault fault : {Fault::fail, Fault::cut, Fault::late}) {
    std::uint64_t step = first_step++ % distance + 1;
    for (bool is_over = false; !is_over; step += distance) {
      const Place place(GetParam());
      for (const char* key : {"kept", "old/1", "old/2"}) put(*place.storage, key, old_content);
      FaultyStorage faulty(*place.storage, step, fault);
      try {
        story(faulty);
        is_over = true;
        EXPECT_FALSE(faulty.has_failed());
      } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::io);
        EXPECT_TRUE(faulty.has_failed());
      }
      std::map<std::string, std::string> found;
      for (const std::string& key : list(*place.storage)) {
        found[key] = get(*place.storage, key);
        EXPECT_TRUE(found[key] == old_content || found[key] == new_content)
            << key << " after a fault at step " << step;
      }
      EXPECT_TRUE(found.contains("kept")) << step;
      if (found.contains("dir/new")) {
        EXPECT_EQ(found["dir/new"], new_content) << step;
      }
      if (!is_over) story(*place.storage);
    }
    EXPECT_GT(step, 10U);
  }
}

std::string driver_name(const testing::TestParamInfo<Driver>& parameter) {
  return parameter.param.name;
}

}  // namespace
}  // namespace barman::storage
