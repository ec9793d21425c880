#include "backup/rsync_copy.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <chrono>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/process.h"
#include "base/test_support.h"
#include "postgres/page_checksum.h"

namespace barman::backup {
namespace {

namespace fs = std::filesystem;

using testing::HasSubstr;

// The cluster is in source/, the earlier backup in reference/; "ssh" is a shell on this host.
class RsyncCopyTest : public testing::Test {
 protected:
  RsyncCopyTest() {
    for (const char* name : {"source", "reference", "copy"}) {
      fs::create_directories(place_.path() / name);
    }
    put_file(place_.path() / "ssh",
             "#!/bin/sh\nwhile [ \"$1\" = -o ]; do shift 2; done\nexec sh -c \"$*\"\n");
    ::chmod((place_.path() / "ssh").c_str(), 0755);
  }
  void SetUp() override {
    if (run_process(
            {.argv = {"sh", "-c", "command -v rsync"}, .environment = {}, .standard_input = {}})
            .exit_code != 0) {
      GTEST_SKIP() << "rsync is not installed";
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
  bool is_shared(const std::string& path) const {
    return find_status(copied(path))->st_ino == find_status(reference(path))->st_ino;
  }
  void put_both(const std::string& path, const std::string& now, const std::string& before,
                std::time_t time = 1'000'000'000) {
    put_file(source(path), now);
    put_file(reference(path), before);
    for (const fs::path& file : {source(path), reference(path)}) {
      ::chmod(file.c_str(), 0600);
      set_time(file, time, 5);
    }
  }
  RsyncTree tree() const {
    return {.label = "pgdata",
            .source = source().string(),
            .destination = copied(),
            .references = references_,
            .is_copied = [](std::string_view path) { return !path.starts_with("left"); },
            .filters = {},
            .prefix = {},
            .limit = {}};
  }
  void copy() {
    RsyncRun run((place_.path() / "ssh").string(), false, require_going_on_);
    RsyncCopy copy(run, options_, place_.path(), steps_, progress_, Interrupt(), require_going_on_);
    ASSERT_TRUE(copy.list_tree(tree()));
    copy.copy_trees();
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

  TemporaryDirectory place_;
  CopySteps steps_{RsyncCopy::kStepsOfTree};
  NoProgress progress_;
  RsyncCopyOptions options_{.reuse = config::ReuseBackup::link, .worker_count = 2};
  std::vector<ReferenceTree> references_;
  std::function<void()> require_going_on_ = [] {};
  std::optional<PageDamage> damage_;
};

TEST_F(RsyncCopyTest, CopiesWhatBelongsToTheBackup) {
  const std::string large(3'000'123, 'l');
  put_file(source("base/5/1259"), large);
  put_file(source("empty"), "");
  put_file(source("left_out/file"), "x");
  put_file(source("#a  comment;\n\xC3\xBC"), "name");
  put_file(source("-n"), "option");
  fs::create_directories(source("pg_wal"));
  put_file(place_.path() / "elsewhere/conf", "linked");
  fs::create_symlink(place_.path() / "elsewhere", source("conf.d"));
  fs::create_symlink(place_.path() / "nowhere", source("dangling"));
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
                                                         {"#a  comment;\n\xC3\xBC", "name"},
                                                         {"-n", "option"},
                                                         {"pg_wal", "/"}}));
  const auto status = find_status(copied("base/5/1259"));
  EXPECT_EQ(status->st_mode & 07777U, 0640U);
  EXPECT_EQ(status->st_mtim.tv_sec, 1'000'000'000);
  EXPECT_EQ(status->st_mtim.tv_nsec, 123'456'789);
}

// The shell there takes wildcards apart.
TEST_F(RsyncCopyTest, CopiesTheDirectoryOfThatNameOnly) {
  const std::string name = "-data [1]* it's \"$HOME\" \xC3\xBC";
  put_file(source(name + "/file"), "right");
  put_file(source("data 1/file"), "wrong");
  RsyncRun run((place_.path() / "ssh").string(), false, require_going_on_);
  RsyncCopy copy(run, options_, place_.path(), steps_, progress_, Interrupt(), require_going_on_);
  RsyncTree one = tree();
  one.source += name;
  ASSERT_TRUE(copy.list_tree(one));
  copy.copy_trees();
  EXPECT_EQ(files(), (std::map<std::string, std::string>{{"file", "right"}}));
}

TEST_F(RsyncCopyTest, LinksWhatHasNotChangedAndNothingElse) {
  put_both("old", "same", "same");
  put_both("touched", "now ", "then");
  set_time(source("touched"), 1'000'000'000, 6);
  // Written twice in the second in which the earlier backup has read it.
  put_both("same_second", "now ", "then", 1'500'000'000);
  put_both("late_but_same", "late", "late", 1'500'000'000);
  put_both("grown", "longer", "long");
  references_ = {{.directory = reference(), .horizon = 1'400'000'000}};
  copy();
  EXPECT_TRUE(is_shared("old"));
  EXPECT_TRUE(is_shared("late_but_same"));
  for (const char* name : {"touched", "same_second", "grown"}) {
    EXPECT_FALSE(is_shared(name)) << name;
    EXPECT_EQ(get_file(copied(name)), get_file(source(name))) << name;
  }
  EXPECT_EQ(get_file(reference("same_second")), "then");
}

// Of a backup that has failed nothing is known, not even that its disk has what it should have.
TEST_F(RsyncCopyTest, ComparesEverythingWithoutAHorizon) {
  put_both("whole", "same", "same");
  put_both("lost", "now ", std::string(4, '\0'));
  put_file(reference("part"), std::string(1000, 'p'));
  put_file(source("part"), std::string(5000, 'p'));
  references_ = {{.directory = reference(), .horizon = std::nullopt}};
  copy();
  EXPECT_TRUE(is_shared("whole"));
  EXPECT_FALSE(is_shared("lost"));
  EXPECT_EQ(get_file(copied("lost")), "now ");
  EXPECT_EQ(get_file(copied("part")), std::string(5000, 'p'));
}

TEST_F(RsyncCopyTest, CopiesInsteadOfLinkingWhenAskedTo) {
  put_both("old", "same", "same");
  references_ = {{.directory = reference(), .horizon = 1'400'000'000}};
  options_.reuse = config::ReuseBackup::copy;
  copy();
  EXPECT_FALSE(is_shared("old"));
  EXPECT_EQ(get_file(copied("old")), "same");
}

// rsync writes in place: into the other backup, if it were let.
TEST_F(RsyncCopyTest, NeverWritesThroughASecondName) {
  put_both("file", "now ", "then");
  fs::create_hard_link(reference("file"), copied("file"));
  set_time(source("file"), 1'600'000'000);
  RsyncRun run((place_.path() / "ssh").string(), false, require_going_on_);
  NameList names(place_.path());
  names.add("file", 4);
  run.get(names,
          {.source = source().string(),
           .destination = copied(),
           .options = {},
           .limit = {},
           .is_repeated = true},
          [](const ReportedFile&) {});
  EXPECT_EQ(get_file(copied("file")), "now ");
  EXPECT_EQ(get_file(reference("file")), "then");
  // The same for single files.
  fs::remove(copied("file"));
  fs::create_hard_link(reference("file"), copied("file"));
  RsyncCopy copy(run, options_, place_.path(), steps_, progress_, Interrupt(), require_going_on_);
  EXPECT_TRUE(copy.copy_file(source("file").string(), copied("file")));
  EXPECT_EQ(get_file(reference("file")), "then");
  EXPECT_FALSE(copy.copy_file(source("missing").string(), copied("missing")));
}

TEST_F(RsyncCopyTest, FailsAtWhatItCannotRead) {
  put_file(source("file"), "x");
  fs::create_symlink("loop", source("loop"));
  try {
    copy();
    FAIL() << "the copy has succeeded";
  } catch (const Error& error) {
    EXPECT_THAT(error.message(), HasSubstr("Too many levels of symbolic links"));
  }
}

// Each file may go, but not the file system that they are on.
TEST_F(RsyncCopyTest, NoticesThatEverythingHasGone) {
  for (const bool is_directory_left : {true, false}) {
    put_file(source("PG_17/5/1"), "x");
    RsyncRun run((place_.path() / "ssh").string(), false, require_going_on_);
    RsyncCopy copy(run, options_, place_.path(), steps_, progress_, Interrupt(), require_going_on_);
    ASSERT_TRUE(copy.list_tree(tree()));
    fs::remove_all(source(is_directory_left ? "PG_17/5" : "PG_17"));
    copy.copy_trees();
    EXPECT_EQ(copy.times().at(0).has_copied_names, is_directory_left);
  }
}

TEST_F(RsyncCopyTest, EndsWhenItsReasonHasGone) {
  put_file(source("file"), "x");
  require_going_on_ = [] { throw Error(ErrorKind::connection, "lost"); };
  EXPECT_THROW(copy(), Error);
}

TEST_F(RsyncCopyTest, TellsPagesWithWrongChecksums) {
  std::string page(postgres::kPageSize, '\0');
  page[8 + 4] = 24;  // pd_lower, and whatever: not empty, and no checksum of its own
  put_file(source("base/5/1259"), page);
  put_file(source("base/5/text"), page);
  options_.checks.checked_before = wal::Lsn{0x1000000};
  copy();
  ASSERT_TRUE(damage_);
  EXPECT_EQ(damage_->details, "1 in total, base/5/1259: block 0");
  EXPECT_EQ(get_file(copied("base/5/1259")), page);
}

// Not of those that are linked: they are known from elsewhere.
TEST_F(RsyncCopyTest, NotesDigestsOfWhatArrives) {
  KnownDigests digests;
  options_.checks.digests = &digests;
  put_both("linked", "same", "same");
  references_ = {{.directory = reference(), .horizon = 1'400'000'000}};
  put_file(source("base/5/1259"), std::string(3'000'123, 'l'));
  for (int i = 0; i < 20; ++i) put_file(source("small/" + std::to_string(i)), "text");
  copy();
  digests.seal();
  EXPECT_EQ(digests.find(find_status(copied("linked")).value()), std::nullopt);
  std::size_t known = 0;
  for (const auto& [path, content] : files()) {
    const auto digest = digests.find(find_status(copied(path)).value());
    if (!digest) continue;
    EXPECT_EQ(digest, digest_of(DigestAlgorithm::sha256, content)) << path;
    ++known;
  }
  EXPECT_EQ(known, 21U);
}

// A list and two transfers.
TEST_F(RsyncCopyTest, StartsNotMoreAtOnceThanItMay) {
  put_file(source("one"), "1");
  put_file(source("two"), "2");
  options_.batch_size = 1;
  options_.batch_period = std::chrono::seconds(1);
  const auto begun = std::chrono::steady_clock::now();
  copy();
  EXPECT_GE(std::chrono::steady_clock::now() - begun, std::chrono::seconds(2));
  EXPECT_EQ(files().size(), 2U);
}

TEST_F(RsyncCopyTest, AsksForAFewFilesAtATime) {
  std::map<std::string, std::string> expected;
  for (int i = 0; i < 11; ++i) {
    const std::string name = std::to_string(i);
    put_file(source(name), "content of " + name);
    expected[name] = "content of " + name;
  }
  put_file(place_.path() / "rsync-ssh", get_file(place_.path() / "ssh"));
  put_file(place_.path() / "ssh", "#!/bin/sh\necho >>'" + (place_.path() / "runs").string() +
                                      "'\nexec '" + (place_.path() / "rsync-ssh").string() +
                                      "' \"$@\"\n");
  ::chmod((place_.path() / "rsync-ssh").c_str(), 0755);
  options_.worker_count = 1;
  options_.names_of_run = 4;
  copy();
  EXPECT_EQ(files(), expected);
  // One lists the files, three get them.
  EXPECT_EQ(get_file(place_.path() / "runs"), "\n\n\n\n");
}

TEST_F(RsyncCopyTest, MissesADirectoryThatIsNotThere) {
  RsyncRun run((place_.path() / "ssh").string(), false, require_going_on_);
  RsyncCopy copy(run, options_, place_.path(), steps_, progress_, Interrupt(), require_going_on_);
  RsyncTree missing = tree();
  missing.source += "nowhere";
  EXPECT_FALSE(copy.list_tree(missing));
}

}  // namespace
}  // namespace barman::backup
