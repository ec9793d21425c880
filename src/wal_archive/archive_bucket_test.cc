#include "wal_archive/archive_bucket.h"

#include <memory>
#include <string>
#include <vector>

#include "storage/conformance_suite.h"
#include "wal_archive/storage_test_support.h"

namespace barman::storage {
namespace {

const std::vector<Driver> kBucketDrivers = {
    {"ArchiveBucket",
     [](const std::filesystem::path&) {
       return std::make_unique<wal_archive::ArchiveBucket>(std::make_shared<MemoryStorage>());
     }},
};

INSTANTIATE_TEST_SUITE_P(WalBuckets, StorageConformance, testing::ValuesIn(kBucketDrivers),
                         driver_name);

}  // namespace
}  // namespace barman::storage

namespace barman::wal_archive {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const std::string kName = "0000000100000000/000000010000000000000003";
const std::string kGzip = "\x1f\x8b\x08 and so on";
const std::string kEncrypted = "\x84\x5e\x03secret";

class ArchiveBucketTest : public testing::Test {
 protected:
  static void put_into(storage::Storage& storage, const std::string& key,
                       const std::string& content,
                       storage::IfPresent if_present = storage::IfPresent::replace) {
    const auto sink = storage.create(key, if_present);
    // Byte by byte: the form is known when enough has come.
    for (const char& byte : content) sink->write(as_bytes(std::string_view(&byte, 1)));
    sink->finish();
  }
  static std::string content_of(const storage::Storage& storage, const std::string& key) {
    const auto file = storage.open(key);
    std::string content(static_cast<std::size_t>(file->size_bytes()), '\0');
    file->read_at(0, std::as_writable_bytes(std::span(content)));
    return content;
  }
  static std::vector<std::string> keys_in(const storage::Storage& storage,
                                          std::string_view prefix = "") {
    std::vector<std::string> keys;
    storage.list(prefix, [&](const storage::ObjectFacts& facts) { keys.push_back(facts.key); });
    return keys;
  }

  const std::shared_ptr<storage::MemoryStorage> objects_ =
      std::make_shared<storage::MemoryStorage>();
  ArchiveBucket bucket_{objects_};
};

TEST_F(ArchiveBucketTest, NamesOfObjectsTellTheirForm) {
  put_into(bucket_, kName, kGzip);
  put_into(bucket_, "0000000100000000/000000010000000000000004", kEncrypted);
  put_into(bucket_, "00000002.history", "1\t0/3000000\treason");
  put_into(bucket_, "0000000100000000/000000010000000000000005.partial", "short");
  EXPECT_THAT(keys_in(*objects_),
              ElementsAre(kName + ".gz", "0000000100000000/000000010000000000000004.gpg",
                          "0000000100000000/000000010000000000000005.partial", "00000002.history"));
  EXPECT_THAT(keys_in(bucket_),
              ElementsAre(kName, "0000000100000000/000000010000000000000004",
                          "0000000100000000/000000010000000000000005.partial", "00000002.history"));
  EXPECT_EQ(content_of(bucket_, kName), kGzip);
  EXPECT_EQ(bucket_.find(kName)->stored_key, kName + ".gz");
  EXPECT_EQ(inspect_listed_wal(bucket_, *bucket_.find(kName)).compression, "gzip");
  EXPECT_FALSE(bucket_.find("0000000100000000/000000010000000000000005"));
}

TEST_F(ArchiveBucketTest, OfSeveralFormsOneCounts) {
  put_into(*objects_, kName + ".00000028.backup", "label");
  put_into(*objects_, kName + ".gpg", kEncrypted);
  put_into(*objects_, kName + ".gz", kGzip);
  put_into(*objects_, kName + ".partial", "short");
  EXPECT_THAT(keys_in(bucket_), ElementsAre(kName, kName + ".00000028.backup", kName + ".partial"));
  EXPECT_EQ(content_of(bucket_, kName), kGzip);
  put_into(*objects_, kName, "plain");
  EXPECT_EQ(content_of(bucket_, kName), "plain");
  // All go, and nothing else.
  bucket_.remove(std::vector<std::string>{kName});
  EXPECT_THAT(keys_in(*objects_), ElementsAre(kName + ".00000028.backup", kName + ".partial"));
}

TEST_F(ArchiveBucketTest, AReplacedObjectHasOneForm) {
  put_into(bucket_, kName, "plain");
  put_into(bucket_, kName, kGzip);
  EXPECT_THAT(keys_in(*objects_), ElementsAre(kName + ".gz"));
  EXPECT_THROW(put_into(bucket_, kName, kGzip + "other", storage::IfPresent::refuse), Error);
  EXPECT_EQ(content_of(bucket_, kName), kGzip);
}

// What is no WAL file keeps its name, for who looks for what does not belong there.
TEST_F(ArchiveBucketTest, OtherObjectsKeepTheirNames) {
  put_into(*objects_, "notes.gz", "x");
  put_into(*objects_, "0000000100000000/readme.gpg", "x");
  EXPECT_THAT(keys_in(bucket_), ElementsAre("0000000100000000/readme.gpg", "notes.gz"));
}

TEST_F(ArchiveBucketTest, RemovesWithOneListingOfEachDirectory) {
  std::vector<std::string> keys;
  for (unsigned number = 0; number < 20; ++number) {
    keys.push_back(WalArchive::key_of(wal_name(number)));
    put_into(bucket_, keys.back(), kGzip);
  }
  const auto counted =
      std::make_shared<storage::FaultyStorage>(*objects_, 0, storage::FaultyStorage::Fault::fail);
  ArchiveBucket(counted, 8).remove(keys);
  EXPECT_EQ(counted->operations(), 4U) << "a listing, and removals of 8, 8 and 4";
  EXPECT_THAT(keys_in(*objects_), IsEmpty());
}

// A store that fails at any request: what has left the receiver's directory is in the bucket, with
// its line, and the next run ends the work.
TEST(ArchiveBucketFaults, LoseNothing) {
  const std::vector<std::string> names = {wal_name(1), wal_name(2), wal_name(3)};
  using Fault = storage::FaultyStorage::Fault;
  for (const Fault fault : {Fault::fail, Fault::late}) {
    auto step = static_cast<std::uint64_t>(1 + first_of_stride(4));
    for (bool is_over = false; !is_over; step += static_cast<std::uint64_t>(stride(4))) {
      const ArchiveSite site({.kind = StorageKind::bucket, .compression = "zstd"});
      // One that has to give way to another form.
      const auto sink =
          site.objects().create(WalArchive::key_of(wal_name(3)), storage::IfPresent::refuse);
      sink->write(as_bytes("no WAL"));
      sink->finish();
      for (const std::string& name : names) site.receive(name, "content of " + name);
      const auto faulty = std::make_shared<storage::FaultyStorage>(site.objects(), step, fault);
      try {
        site.file(names, std::make_shared<ArchiveBucket>(faulty));
        is_over = !faulty->has_failed();
      } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::io) << error.describe();
      }
      const std::vector<std::string> waiting = site.waiting();
      for (const std::string& name : names) {
        if (std::ranges::count(waiting, name) > 0) continue;
        EXPECT_EQ(site.text_of(name), "content of " + name) << "step " << step;
      }
      if (!waiting.empty()) site.file(names);
      EXPECT_THAT(site.waiting(), IsEmpty()) << "step " << step;
      EXPECT_THAT(site.test().indexed(), testing::UnorderedElementsAreArray(names));
      EXPECT_THAT(list_names(site.test().config.errors_directory), testing::SizeIs(testing::Le(2)));
      for (const std::string& name : names) {
        EXPECT_EQ(site.text_of(name), "content of " + name) << "step " << step;
      }
    }
    EXPECT_GT(step, 5U);
  }
}

}  // namespace
}  // namespace barman::wal_archive
