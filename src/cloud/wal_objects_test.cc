#include "cloud/wal_objects.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/durable.h"
#include "base/error.h"
#include "cloud/test_support.h"
#include "compression/stored_file.h"
#include "storage/test_support.h"
#include "wal/test_support.h"

namespace barman::cloud {
namespace {

namespace fs = std::filesystem;
using compression::Algorithm;
using testing::ElementsAre;

constexpr const char* kSegment = "000000010000000200000003";
constexpr const char* kDirectory = "main/wals/0000000100000002/";

constexpr const char* kHistory = "1\t0/3000158\treason\n";

wal::WalFileName wal_file(std::string_view name) { return *wal::parse_wal_file_name(name); }
// A whole segment of that name with a text in it.
std::string wal_content(std::string_view text, std::string_view name = kSegment) {
  return wal::make_segment(name, {.text = text});
}
// What a call throws; nullopt: nothing.
template <typename Function>
std::optional<ErrorKind> failure_of(const Function& function) {
  try {
    function();
  } catch (const Error& error) {
    return error.kind();
  }
  return std::nullopt;
}

struct WalBucket : LocalBucket {
  fs::path make_file(const std::string& name, std::string_view content) const {
    fs::create_directories(directory.path() / "pg_wal");
    fs::path path = directory.path() / "pg_wal" / name;
    write_file_durably(path, content);
    return path;
  }
  Archived archive(const std::string& name, std::string_view content,
                   std::optional<Algorithm> algorithm = {}) {
    return archive_wal_object(storage, layout,
                              {.file = make_file(name, content),
                               .name = wal_file(name),
                               .compression = algorithm,
                               .level = {}});
  }
  std::string fetch(const WalObject& object) const {
    const fs::path path = directory.path() / "fetched";
    const Fd target = open_file(path, O_WRONLY | O_CREAT | O_TRUNC);
    fetch_wal_object(storage, object, target, path);
    return read_file(path);
  }
  // Of the forms that were found the first one that is right.
  std::string fetch(const FoundWalObjects& found,
                    std::optional<std::uint64_t> system_id = {}) const {
    const fs::path path = directory.path() / "fetched";
    Fd target;
    fetch_wanted_wal(
        storage, found,
        [&]() -> const Fd& { return target = open_file(path, O_WRONLY | O_CREAT | O_TRUNC); }, path,
        system_id);
    return read_file(path);
  }
  FoundWalObjects find(std::string_view name, Partials partials = Partials::take,
                       std::size_t following = 0) const {
    return find_wal_objects(storage, layout,
                            {.name = wal_file(name), .partials = partials, .following = following});
  }
};

TEST(WalObjects, ComeBackAsTheyWentInEveryForm) {
  const std::string content = wal_content(std::string(300'000, 'x') + "the end");
  for (const std::optional<Algorithm> algorithm :
       {std::optional<Algorithm>(), std::optional(Algorithm::gzip), std::optional(Algorithm::bzip2),
        std::optional(Algorithm::xz), std::optional(Algorithm::snappy),
        std::optional(Algorithm::zstd), std::optional(Algorithm::lz4)}) {
    WalBucket bucket;
    EXPECT_EQ(bucket.archive(kSegment, content, algorithm), Archived::stored);
    const FoundWalObjects found = bucket.find(kSegment);
    ASSERT_TRUE(found.wanted);
    EXPECT_EQ(found.wanted->key,
              std::string(kDirectory) + kSegment + std::string(suffix_of(algorithm)));
    EXPECT_EQ(bucket.fetch(*found.wanted), content);
  }
}

// Whoever has cut or overwritten it: what was archived so is thrown away by PostgreSQL.
TEST(WalObjects, AreNotMadeOfOtherFiles) {
  WalBucket bucket;
  const std::string whole = wal_content("one");
  for (const std::string& content :
       {std::string(), std::string(16, '\0'), std::string("text"),
        whole.substr(0, whole.size() / 2), std::string(whole.size(), '\0'),
        wal_content("one", "000000010000000200000004")}) {
    EXPECT_EQ(failure_of([&] { bucket.archive(kSegment, content); }), ErrorKind::corrupt)
        << content.size();
  }
  EXPECT_THAT(bucket.keys(), ElementsAre());
  EXPECT_EQ(bucket.archive(kSegment, whole), Archived::stored);
}

TEST(WalObjects, AreSentTwiceWithoutHarm) {
  for (const std::optional<Algorithm> algorithm :
       {std::optional<Algorithm>(), std::optional(Algorithm::gzip)}) {
    WalBucket bucket;
    EXPECT_EQ(bucket.archive(kSegment, wal_content("one"), algorithm), Archived::stored);
    EXPECT_EQ(bucket.archive(kSegment, wal_content("one"), algorithm), Archived::was_there);
  }
}

TEST(WalObjects, AreNeverReplacedByOtherContent) {
  const std::string content = wal_content("one");
  for (const std::optional<Algorithm> algorithm :
       {std::optional<Algorithm>(), std::optional(Algorithm::zstd)}) {
    for (const std::string& other : {wal_content("One"), wal_content("two"), wal_content("on")}) {
      WalBucket bucket;
      bucket.archive(kSegment, content, algorithm);
      EXPECT_EQ(failure_of([&] { bucket.archive(kSegment, other, algorithm); }),
                ErrorKind::conflict);
      EXPECT_EQ(bucket.fetch(*bucket.find(kSegment).wanted), content);
    }
  }
}

// Somebody has changed archive_command, or two clusters have the same place.
TEST(WalObjects, AreTheSameInWhateverForm) {
  const std::optional<Algorithm> plain;
  for (const auto& pair :
       {std::pair(plain, std::optional(Algorithm::gzip)),
        std::pair(std::optional(Algorithm::gzip), plain),
        std::pair(std::optional(Algorithm::gzip), std::optional(Algorithm::zstd))}) {
    WalBucket bucket;
    EXPECT_EQ(bucket.archive(kSegment, wal_content("one"), pair.first), Archived::stored);
    EXPECT_EQ(bucket.archive(kSegment, wal_content("one"), pair.second), Archived::was_there);
    EXPECT_EQ(failure_of([&] { bucket.archive(kSegment, wal_content("two"), pair.second); }),
              ErrorKind::conflict);
    EXPECT_EQ(bucket.keys().size(), 1U);
    // What is behind the name, and unfinished, is another file.
    bucket.archive(std::string(kSegment) + ".partial", wal_content("three"), pair.second);
    EXPECT_EQ(bucket.keys().size(), 2U);
  }
}

// Of the three questions that PostgreSQL waits for none is asked for each object of the directory.
TEST(WalObjects, AreArchivedWithFewRequests) {
  WalBucket bucket;
  storage::FaultyStorage counted(bucket.storage, 0, storage::FaultyStorage::Fault::fail);
  const auto archive = [&](const std::string& name) {
    const std::uint64_t before = counted.operations();
    archive_wal_object(counted, bucket.layout,
                       {.file = bucket.make_file(name, wal_content("one", name)),
                        .name = wal_file(name),
                        .compression = Algorithm::zstd,
                        .level = {}});
    return counted.operations() - before;
  };
  // A listing, and the object: it is begun, written in one piece, and finished.
  const std::uint64_t first = archive(kSegment);
  EXPECT_LE(first, 5U);
  for (unsigned number = 4; number < 12; ++number) {
    EXPECT_EQ(archive(fmt::format("0000000100000002000000{:02X}", number)), first);
  }
}

// An upload of Barman that was refused once leaves it so, and says that it was stored.
TEST(WalObjects, FillAnEmptyObject) {
  for (const char* suffix : {"", ".gz"}) {
    WalBucket bucket;
    bucket.put(std::string(kDirectory) + kSegment + suffix, "");
    EXPECT_EQ(bucket.archive(kSegment, wal_content("one")), Archived::stored);
    EXPECT_EQ(bucket.fetch(bucket.find(kSegment)), wal_content("one"));
  }
}

TEST(WalObjects, AreCompleteBeforeTheyArePartial) {
  WalBucket bucket;
  bucket.archive(std::string(kSegment) + ".partial", wal_content("part"));
  EXPECT_EQ(bucket.find(kSegment).wanted->name.name.kind, wal::WalFileKind::partial);
  EXPECT_FALSE(bucket.find(kSegment, Partials::refuse).wanted);
  bucket.archive(kSegment, wal_content("whole"), Algorithm::zstd);
  EXPECT_EQ(bucket.fetch(*bucket.find(kSegment).wanted), wal_content("whole"));
  bucket.put(std::string(kDirectory) + kSegment, wal_content("whole"));
  EXPECT_FALSE(bucket.find(kSegment).wanted->name.compression);
  EXPECT_EQ(bucket.find(kSegment).other_forms.size(), 1U);
  const std::string label = std::string(kSegment) + ".00000028.backup";
  const std::string text = fmt::format(
      "START WAL LOCATION: 2/3000028 (file {0})\nSTOP WAL LOCATION: 2/3000100 (file {0})\n",
      kSegment);
  bucket.archive(label, text);
  EXPECT_EQ(bucket.fetch(*bucket.find(kSegment).wanted), wal_content("whole"));
  EXPECT_EQ(bucket.fetch(*bucket.find(label).wanted), text);
}

TEST(WalObjects, AreNotThere) {
  WalBucket bucket;
  EXPECT_FALSE(bucket.find(kSegment).wanted);
  EXPECT_FALSE(bucket.find("00000002.history").wanted);
  bucket.archive("00000002.history", kHistory, Algorithm::gzip);
  EXPECT_EQ(bucket.fetch(bucket.find("00000002.history")), kHistory);
}

TEST(WalObjects, FollowInTheirDirectory) {
  WalBucket bucket;
  const auto put = [&](const std::string& name) {
    bucket.put(std::string("main/wals/") + name.substr(0, 16) + "/" + name, "content");
  };
  put("000000010000000200000003");
  put("000000010000000200000004.gz");
  put("000000010000000200000004");
  put("000000010000000200000005.partial");
  put("000000010000000200000006");
  put("000000010000000200000007");
  put("000000010000000300000000");
  const FoundWalObjects found = bucket.find(kSegment, Partials::take, 2);
  ASSERT_TRUE(found.wanted);
  std::vector<std::string> keys;
  for (const WalObject& object : found.following) keys.push_back(object.key);
  EXPECT_THAT(keys, ElementsAre(std::string(kDirectory) + "000000010000000200000004",
                                std::string(kDirectory) + "000000010000000200000006"));
}

TEST(WalObjects, ThatAreNotWhatTheirNamesSayAreNotDelivered) {
  const std::string content = wal_content("one");
  const std::string other_name = "000000010000000200000004";
  for (const std::string& damaged :
       {std::string(), std::string("content"), content.substr(0, content.size() / 2), content + "x",
        wal_content("one", other_name), std::string(content.size(), '\0')}) {
    WalBucket bucket;
    bucket.put(std::string(kDirectory) + kSegment, damaged);
    const FoundWalObjects found = bucket.find(kSegment);
    EXPECT_EQ(failure_of([&] { bucket.fetch(found); }), ErrorKind::corrupt) << damaged.size();
    // Another form of it that is right is taken.
    bucket.archive(other_name, wal_content("two", other_name), Algorithm::gzip);
    bucket.put(std::string(kDirectory) + kSegment + ".gz", "no gzip data");
    EXPECT_EQ(failure_of([&] { bucket.fetch(bucket.find(kSegment)); }), ErrorKind::corrupt);
    fs::rename(bucket.storage.path_of(std::string(kDirectory) + kSegment),
               bucket.directory.path() / "aside");
    fs::remove(bucket.storage.path_of(std::string(kDirectory) + kSegment + ".gz"));
    bucket.archive(kSegment, content, Algorithm::zstd);
    bucket.put(std::string(kDirectory) + kSegment, damaged);
    EXPECT_EQ(bucket.fetch(bucket.find(kSegment)), content);
  }
}

TEST(WalObjects, OfAnotherClusterAreNotDelivered) {
  WalBucket bucket;
  bucket.archive(kSegment, wal_content("one"), Algorithm::gzip);
  EXPECT_EQ(bucket.fetch(bucket.find(kSegment), wal::kSystem), wal_content("one"));
  EXPECT_EQ(failure_of([&] { bucket.fetch(bucket.find(kSegment), wal::kSystem + 1); }),
            ErrorKind::corrupt);
}

TEST(WalObjects, ThatAreDamagedAreNotDelivered) {
  WalBucket bucket;
  bucket.put(std::string(kDirectory) + kSegment + ".gz", "no gzip data");
  EXPECT_EQ(failure_of([&] { bucket.fetch(*bucket.find(kSegment).wanted); }), ErrorKind::corrupt);
}

TEST(WalObjects, ThatCannotBeReadAreNotArchived) {
  WalBucket bucket;
  EXPECT_THROW(archive_wal_object(bucket.storage, bucket.layout,
                                  {.file = bucket.directory.path() / "absent",
                                   .name = wal_file(kSegment),
                                   .compression = {},
                                   .level = {}}),
               Error);
  EXPECT_THAT(bucket.keys(), ElementsAre());
}

// Whatever is lost or fails on the way: success is told of what is stored only, and the next
// attempt stores it.
TEST(WalObjects, AreThereWhenArchivingHasSucceeded) {
  using Fault = storage::FaultyStorage::Fault;
  for (const Fault fault : {Fault::fail, Fault::cut, Fault::late}) {
    bool has_failed = true;
    for (std::uint64_t n = 1; has_failed; ++n) {
      ASSERT_LT(n, 100U);
      WalBucket bucket;
      storage::FaultyStorage faulty(bucket.storage, n, fault);
      const WalUpload upload{.file = bucket.make_file(kSegment, wal_content("one")),
                             .name = wal_file(kSegment),
                             .compression = Algorithm::gzip,
                             .level = {}};
      has_failed =
          failure_of([&] { archive_wal_object(faulty, bucket.layout, upload); }).has_value();
      if (has_failed) archive_wal_object(faulty, bucket.layout, upload);
      EXPECT_EQ(bucket.fetch(bucket.find(kSegment)), wal_content("one"));
    }
  }
}

}  // namespace
}  // namespace barman::cloud
