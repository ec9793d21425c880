#include "cloud/wal_objects.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/error.h"
#include "cloud/test_support.h"
#include "compression/stored_file.h"

namespace barman::cloud {
namespace {

namespace fs = std::filesystem;
using compression::Algorithm;
using testing::ElementsAre;

constexpr const char* kSegment = "000000010000000200000003";
constexpr const char* kDirectory = "main/wals/0000000100000002/";

wal::WalFileName wal_file(std::string_view name) { return *wal::parse_wal_file_name(name); }

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
  FoundWalObjects find(std::string_view name, Partials partials = Partials::take,
                       std::size_t following = 0) const {
    return find_wal_objects(storage, layout,
                            {.name = wal_file(name), .partials = partials, .following = following});
  }
};

TEST(WalObjects, ComeBackAsTheyWentInEveryForm) {
  std::string content(300'000, 'x');
  content += "the end";
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

TEST(WalObjects, AreSentTwiceWithoutHarm) {
  for (const std::optional<Algorithm> algorithm :
       {std::optional<Algorithm>(), std::optional(Algorithm::gzip)}) {
    WalBucket bucket;
    EXPECT_EQ(bucket.archive(kSegment, "content", algorithm), Archived::stored);
    EXPECT_EQ(bucket.archive(kSegment, "content", algorithm), Archived::was_there);
  }
}

TEST(WalObjects, AreNeverReplacedByOtherContent) {
  for (const std::optional<Algorithm> algorithm :
       {std::optional<Algorithm>(), std::optional(Algorithm::zstd)}) {
    for (const char* other : {"Content", "content and more", "conten"}) {
      WalBucket bucket;
      bucket.archive(kSegment, "content", algorithm);
      try {
        bucket.archive(kSegment, other, algorithm);
        ADD_FAILURE() << other;
      } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::conflict);
      }
      EXPECT_EQ(bucket.fetch(*bucket.find(kSegment).wanted), "content");
    }
  }
}

// An upload of Barman that was refused once leaves it so, and says that it was stored.
TEST(WalObjects, FillAnEmptyObject) {
  WalBucket bucket;
  bucket.put(std::string(kDirectory) + kSegment, "");
  EXPECT_EQ(bucket.archive(kSegment, "content"), Archived::stored);
  EXPECT_EQ(bucket.fetch(*bucket.find(kSegment).wanted), "content");
}

TEST(WalObjects, AreCompleteBeforeTheyArePartial) {
  WalBucket bucket;
  bucket.archive(std::string(kSegment) + ".partial", "part");
  EXPECT_EQ(bucket.find(kSegment).wanted->name.name.kind, wal::WalFileKind::partial);
  EXPECT_FALSE(bucket.find(kSegment, Partials::refuse).wanted);
  bucket.archive(kSegment, "whole", Algorithm::zstd);
  EXPECT_EQ(bucket.fetch(*bucket.find(kSegment).wanted), "whole");
  bucket.archive(kSegment, "whole");
  EXPECT_FALSE(bucket.find(kSegment).wanted->name.compression);
  bucket.archive(std::string(kSegment) + ".00000028.backup", "label");
  EXPECT_EQ(bucket.fetch(*bucket.find(kSegment).wanted), "whole");
  EXPECT_EQ(bucket.fetch(*bucket.find(std::string(kSegment) + ".00000028.backup").wanted), "label");
}

TEST(WalObjects, AreNotThere) {
  WalBucket bucket;
  EXPECT_FALSE(bucket.find(kSegment).wanted);
  EXPECT_FALSE(bucket.find("00000002.history").wanted);
  bucket.archive("00000002.history", "1\t0/3000158\treason\n", Algorithm::gzip);
  EXPECT_TRUE(bucket.find("00000002.history").wanted);
}

TEST(WalObjects, FollowInTheirDirectory) {
  WalBucket bucket;
  bucket.archive("000000010000000200000003", "3");
  bucket.archive("000000010000000200000004", "4", Algorithm::gzip);
  bucket.archive("000000010000000200000004", "4");
  bucket.archive("000000010000000200000005.partial", "5");
  bucket.archive("000000010000000200000006", "6");
  bucket.archive("000000010000000200000007", "7");
  bucket.archive("000000010000000300000000", "8");
  const FoundWalObjects found = bucket.find(kSegment, Partials::take, 2);
  ASSERT_TRUE(found.wanted);
  std::vector<std::string> keys;
  for (const WalObject& object : found.following) keys.push_back(object.key);
  EXPECT_THAT(keys, ElementsAre(std::string(kDirectory) + "000000010000000200000004",
                                std::string(kDirectory) + "000000010000000200000006"));
}

TEST(WalObjects, ThatAreDamagedAreNotDelivered) {
  WalBucket bucket;
  bucket.put(std::string(kDirectory) + kSegment + ".gz", "no gzip data");
  EXPECT_THROW(bucket.fetch(*bucket.find(kSegment).wanted), Error);
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

}  // namespace
}  // namespace barman::cloud
