#include "backup/local_copy.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <map>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/test_support.h"
#include "postgres/page_checksum.h"

namespace barman::backup {
namespace {

namespace fs = std::filesystem;

using testing::HasSubstr;

// The cluster is in source/, the earlier backup in reference/.
class LocalCopyTest : public testing::Test {
 protected:
  LocalCopyTest() {
    for (const char* name : {"source", "reference", "copy"}) {
      fs::create_directories(place_.path() / name);
    }
  }

  fs::path source(const std::string& path = "") const { return place_.path() / "source" / path; }
  fs::path reference(const std::string& path = "") const {
    return place_.path() / "reference" / path;
  }
  fs::path copied(const std::string& path = "") const { return place_.path() / "copy" / path; }

  static void set_time(const fs::path& path, std::time_t seconds, long nanoseconds = 0) {
    const std::array<timespec, 2> times = {timespec{seconds, nanoseconds},
                                           timespec{seconds, nanoseconds}};
    ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times.data(), 0), 0);
  }
  static ino_t inode_of(const fs::path& path) { return find_status(path)->st_ino; }
  bool is_shared(const std::string& path) const {
    return inode_of(copied(path)) == inode_of(reference(path));
  }
  // In the cluster and in the earlier backup.
  void put_both(const std::string& path, const std::string& now, const std::string& before,
                std::time_t time = 1'000'000'000) {
    put_file(source(path), now);
    put_file(reference(path), before);
    for (const fs::path& file : {source(path), reference(path)}) {
      ::chmod(file.c_str(), 0600);
      set_time(file, time, 5);
    }
  }
  LocalTree tree() const {
    return {.source = source(),
            .destination = copied(),
            .references = {{.directory = reference(), .horizon = horizon_}},
            .is_copied = [](std::string_view path) { return !path.starts_with("left"); },
            .prefix = {},
            .bandwidth_limit = bandwidth_limit_};
  }
  void copy() {
    LocalCopy copy(options_, place_.path(), progress_, [this] { require_going_on_(); });
    copy.copy_tree(tree());
    copy.make_durable();
    damage_ = copy.damage().facts();
  }
  std::map<std::string, std::string> files() const {
    std::map<std::string, std::string> found;
    for (const auto& entry : fs::recursive_directory_iterator(copied())) {
      const std::string path = entry.path().lexically_relative(copied()).string();
      found[path] = entry.is_directory() ? "/" : get_file(entry.path());
    }
    return found;
  }
  static std::time_t soon() { return ::time(nullptr) + 1000; }

  TemporaryDirectory place_;
  NoProgress progress_;
  LocalCopyOptions options_;
  std::optional<std::time_t> horizon_;
  TransferLimit bandwidth_limit_;
  std::function<void()> require_going_on_ = [] {};
  std::optional<PageDamage> damage_;
};

// Of a backup that has failed nothing is known.
TEST_F(LocalCopyTest, TakesWhatIsTheSameFromTheFirstOfSeveralReferences) {
  const fs::path failed = place_.path() / "failed";
  options_.reuse = config::ReuseBackup::link;
  horizon_ = soon();
  put_both("both", "same", "same");
  put_both("old_only", "same", "same");
  put_both("lost", "same", "same");
  for (const auto& [name, content] : {std::pair{"both", "same"}, std::pair{"lost", "los\n"}}) {
    put_file(failed / name, content);
    ::chmod((failed / name).c_str(), 0600);
    set_time(failed / name, 1'000'000'000, 5);
  }
  LocalTree from_both = tree();
  from_both.references.insert(from_both.references.begin(),
                              {.directory = failed, .horizon = std::nullopt});
  LocalCopy copy(options_, place_.path(), progress_, [] {});
  copy.copy_tree(from_both);
  EXPECT_EQ(inode_of(copied("both")), inode_of(failed / "both"));
  EXPECT_TRUE(is_shared("old_only"));
  EXPECT_TRUE(is_shared("lost"));
}

TEST_F(LocalCopyTest, CopiesWhatBelongsToTheBackup) {
  const std::string large(3'000'123, 'l');
  put_file(source("base/5/1259"), large);
  put_file(source("empty"), "");
  put_file(source("left_out/file"), "x");
  fs::create_directories(source("pg_wal"));
  put_file(place_.path() / "elsewhere/conf", "linked");
  fs::create_symlink(place_.path() / "elsewhere", source("conf.d"));
  fs::create_symlink(place_.path() / "nowhere", source("dangling"));
  fs::create_directories(source("pg_tblspc"));
  fs::create_symlink(place_.path() / "elsewhere", source("pg_tblspc/16384"));
  ASSERT_EQ(::mkfifo(source("fifo").c_str(), 0600), 0);
  ::chmod(source("base/5/1259").c_str(), 0640);
  set_time(source("base/5/1259"), 1'000'000'000, 123'456'789);
  copy();
  EXPECT_EQ(files(), (std::map<std::string, std::string>{{"base", "/"},
                                                         {"base/5", "/"},
                                                         {"base/5/1259", large},
                                                         {"conf.d", "/"},
                                                         {"conf.d/conf", "linked"},
                                                         {"empty", ""},
                                                         {"pg_tblspc", "/"},
                                                         {"pg_wal", "/"}}));
  const auto status = find_status(copied("base/5/1259"));
  EXPECT_EQ(status->st_mode & 07777U, 0640U);
  EXPECT_EQ(status->st_mtim.tv_sec, 1'000'000'000);
  EXPECT_EQ(status->st_mtim.tv_nsec, 123'456'789);
}

TEST_F(LocalCopyTest, TellsLinksThatLeadNowhere) {
  put_file(source("file"), "x");
  fs::create_symlink(place_.path() / "nowhere", source("dangling"));
  LocalCopy copy(options_, place_.path(), progress_, [] {});
  copy.copy_tree(tree());
  ASSERT_EQ(copy.dead_links().size(), 1U);
  EXPECT_EQ(copy.dead_links().front(), source("dangling").string());
}

TEST_F(LocalCopyTest, LinksOnlyWhatIsTheSame) {
  options_.reuse = config::ReuseBackup::link;
  horizon_ = soon();
  put_both("same", "content", "content");
  put_both("longer", "content!", "content");
  put_both("newer", "CONTENT", "content");
  set_time(source("newer"), 1'000'000'001);
  put_both("mode", "content", "content");
  ::chmod(source("mode").c_str(), 0640);
  put_file(source("new"), "new");
  put_both("replaced", "content", "content");
  fs::remove(reference("replaced"));
  fs::create_symlink(source("same"), reference("replaced"));
  copy();
  EXPECT_TRUE(is_shared("same"));
  for (const char* path : {"longer", "newer", "mode"}) EXPECT_FALSE(is_shared(path)) << path;
  for (const auto& [path, content] : files()) EXPECT_EQ(content, get_file(source(path))) << path;
  EXPECT_TRUE(fs::is_regular_file(fs::symlink_status(copied("replaced"))));
  EXPECT_EQ(get_file(reference("newer")), "content");
}

// Same size, same second, even the same nanosecond.
TEST_F(LocalCopyTest, LooksIntoWhatWasTouchedBehindTheHorizon) {
  options_.reuse = config::ReuseBackup::link;
  put_both("changed", "aaaaaaa", "bbbbbbb");
  put_both("same", "content", "content");
  put_both("long", std::string(2'000'000, 'a') + "a", std::string(2'000'000, 'a') + "b");
  // The inodes are new, whatever their times of modification say.
  horizon_ = 1'500'000'000;
  copy();
  EXPECT_FALSE(is_shared("changed"));
  EXPECT_FALSE(is_shared("long"));
  EXPECT_TRUE(is_shared("same"));
  for (const auto& [path, content] : files()) EXPECT_EQ(content, get_file(source(path))) << path;
  fs::remove_all(copied());
  fs::create_directories(copied());
  horizon_ = std::nullopt;
  copy();
  EXPECT_FALSE(is_shared("changed"));
  EXPECT_TRUE(is_shared("same"));
}

TEST_F(LocalCopyTest, DoesNotTrustTimesOfWholeSeconds) {
  options_.reuse = config::ReuseBackup::link;
  horizon_ = soon();
  put_both("changed", "aaaaaaa", "bbbbbbb");
  set_time(reference("changed"), 1'000'000'000, 0);
  copy();
  EXPECT_FALSE(is_shared("changed"));
  EXPECT_EQ(get_file(copied("changed")), "aaaaaaa");
}

TEST_F(LocalCopyTest, CopiesFromTheReferenceWhatIsTheSame) {
  options_.reuse = config::ReuseBackup::copy;
  horizon_ = soon();
  put_both("same", "content", "content");
  put_both("longer", "content!", "content");
  copy();
  EXPECT_FALSE(is_shared("same"));
  EXPECT_EQ(get_file(copied("same")), "content");
  EXPECT_EQ(find_status(copied("same"))->st_mtim.tv_nsec, 5);
  EXPECT_EQ(get_file(copied("longer")), "content!");
}

TEST_F(LocalCopyTest, CopiesWhatCannotBeLinked) {
  const fs::path disk = fs::path("/dev/shm") / place_.path().filename();
  std::error_code code;
  if (!fs::create_directory(disk, code)) GTEST_SKIP() << "/dev/shm cannot be written";
  if (find_status(disk)->st_dev == find_status(place_.path())->st_dev) {
    fs::remove_all(disk);
    GTEST_SKIP() << "/dev/shm is no file system of its own";
  }
  fs::remove(place_.path() / "reference");
  fs::create_directory_symlink(disk, place_.path() / "reference");
  options_.reuse = config::ReuseBackup::link;
  horizon_ = soon();
  put_both("old", "same", "same");
  copy();
  EXPECT_NE(find_status(copied("old"))->st_dev, find_status(reference("old"))->st_dev);
  EXPECT_EQ(get_file(copied("old")), "same");
  fs::remove_all(disk);
}

TEST_F(LocalCopyTest, UsesNoReferenceUnlessAsked) {
  horizon_ = soon();
  put_both("same", "content", "content");
  copy();
  EXPECT_FALSE(is_shared("same"));
}

TEST_F(LocalCopyTest, GoesOnWhenFilesVanishAndShrink) {
  bandwidth_limit_ = {.kib_per_second = 1'000'000'000};  // so that the bytes go through our hands
  put_file(source("shrinks"), std::string(3'000'000, 's'));
  put_file(source("vanishes"), "v");
  require_going_on_ = [&] {
    fs::remove(source("vanishes"));
    if (fs::exists(copied("shrinks"))) fs::resize_file(source("shrinks"), 1'500'001);
  };
  copy();
  EXPECT_FALSE(fs::exists(copied("vanishes")));
  EXPECT_EQ(get_file(copied("shrinks")), std::string(1'500'001, 's'));
}

TEST_F(LocalCopyTest, RefusesLinksThatLeadInCircles) {
  fs::create_directories(source("a/b"));
  fs::create_symlink(source("a"), source("a/b/again"));
  try {
    copy();
    FAIL() << "copied a circle";
  } catch (const Error& error) {
    EXPECT_THAT(error.message(), HasSubstr("a/b/again"));
  }
}

TEST_F(LocalCopyTest, RefusesADataDirectoryThatIsNotThere) {
  fs::remove_all(source());
  EXPECT_THROW(copy(), Error);
}

TEST_F(LocalCopyTest, EndsWhenItMustNotGoOn) {
  put_file(source("file"), "x");
  require_going_on_ = [] { throw Error(ErrorKind::connection, "lost"); };
  EXPECT_THROW(copy(), Error);
}

TEST_F(LocalCopyTest, TellsOfPagesWithWrongChecksums) {
  options_.checks.checked_before = wal::Lsn{0x2000000};
  // Its LSN is 0/1000000.
  std::string page(postgres::kPageSize, 'p');
  const std::array<unsigned char, 8> lsn = {0, 0, 0, 0, 0, 0, 0, 1};
  for (std::size_t i = 0; i < lsn.size(); ++i) page[i] = static_cast<char>(lsn[i]);
  std::string good = page;
  for (const std::uint32_t block : {0U}) {
    const std::uint16_t sum = postgres::page_checksum(as_bytes(good), block);
    good[8] = static_cast<char>(sum & 0xFFU);
    good[9] = static_cast<char>(sum >> 8U);
  }
  std::string bad = page;
  bad[8] = static_cast<char>(good[8] + 1);
  put_file(source("base/5/16384"), good + bad);
  put_file(source("base/5/16385"), std::string(postgres::kPageSize, '\0'));
  put_file(source("global/notes"), bad);
  copy();
  ASSERT_TRUE(damage_);
  EXPECT_EQ(damage_->details, "1 in total, base/5/16384: block 1");
  EXPECT_EQ(get_file(copied("base/5/16384")), good + bad);
}

// Large ones in blocks, small ones at once; a file that is cut meanwhile, too.
TEST_F(LocalCopyTest, NotesDigestsOfWhatItCopies) {
  KnownDigests digests;
  options_.checks.digests = &digests;
  const std::string large(3'000'123, 'l');
  put_file(source("base/5/1259"), large);
  put_file(source("small"), "small");
  put_file(source("empty"), "");
  put_file(source("shrinks"), std::string(5'000'000, 's'));
  require_going_on_ = [&] {
    if (fs::exists(copied("shrinks"))) fs::resize_file(source("shrinks"), 1'500'001);
  };
  copy();
  digests.seal();
  for (const auto& [path, content] : files()) {
    if (content == "/") continue;
    EXPECT_EQ(digests.find(find_status(copied(path)).value()),
              digest_of(DigestAlgorithm::sha256, content))
        << path;
  }
  EXPECT_EQ(get_file(copied("base/5/1259")), large);
  EXPECT_EQ(fs::file_size(copied("shrinks")), 1'500'001U);
}

}  // namespace
}  // namespace barman::backup
