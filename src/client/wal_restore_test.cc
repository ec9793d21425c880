// With an ssh of our own, which says what it is told to.
#include "client/wal_restore_program.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>

#include <fmt/format.h>

#include "base/test_support.h"
#include "wal/test_support.h"

namespace barman::client {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

const std::string kName = "000000010000000000000003";

class WalRestore : public ::testing::Test {
 protected:
  WalRestore() {
    ::setenv("TMPDIR", directory_.path().c_str(), 1);
    ::setenv("PATH", (directory_.path().string() + ":" + path_).c_str(), 1);
    fs::create_directory(data_);
    put_file(directory_.path() / "wal", wal::make_segment(kName, {.text = "content"}));
  }
  ~WalRestore() override {
    ::setenv("PATH", path_.c_str(), 1);
    ::unsetenv("TMPDIR");
  }

  // `answer` is a script that runs instead of get-wal; $WAL is a good segment.
  void answer(const std::string& script, const std::string& peek = "exit 0") const {
    // Under its name when it is complete: processes in the background run it.
    const fs::path path = directory_.path() / "new-ssh";
    std::ofstream(path) << "#!/bin/sh\ncase \" $* \" in *\" -G \"*) exit 0;; *--peek*) " << peek
                        << ";; esac\nWAL=" << (directory_.path() / "wal").string() << "\n"
                        << script << "\n";
    fs::permissions(path, fs::perms::owner_all);
    fs::rename(path, directory_.path() / "ssh");
  }
  // The exit code.
  int restore(std::vector<std::string> options = {}, const std::string& name = kName) {
    std::vector<std::string> words = {"barman-wal-restore"};
    words.insert(words.end(), options.begin(), options.end());
    words.insert(words.end(), {"backup", "main", name, (data_ / "RECOVERYXLOG").string()});
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    ::testing::internal::CaptureStderr();
    const int code = run_wal_restore(static_cast<int>(words.size()), argv.data());
    said_ = ::testing::internal::GetCapturedStderr();
    return code;
  }
  std::vector<std::string> delivered() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(data_)) {
      names.push_back(entry.path().filename().string());
    }
    return names;
  }

  const std::string path_ = ::getenv("PATH");
  TemporaryDirectory directory_;
  const fs::path data_ = directory_.path() / "pg_wal";
  std::string said_;
};

TEST_F(WalRestore, DeliversASegment) {
  answer("cat $WAL");
  EXPECT_EQ(restore(), 0);
  EXPECT_THAT(delivered(), ElementsAre("RECOVERYXLOG"));
  EXPECT_EQ(wal::text_of_segment(get_file(data_ / "RECOVERYXLOG")), "content");
}

TEST_F(WalRestore, NothingElseGetsTheNameOfASegment) {
  for (const std::string script :
       {"echo Welcome to this host; cat $WAL", "cat $WAL; echo logout", "echo Connection closed",
        "exit 0", "head -c 300000 $WAL", "head -c 1048576 /dev/zero", "head -c 300000 $WAL | gzip",
        "echo Welcome; gzip -c $WAL"}) {
    answer(script);
    EXPECT_EQ(restore(), 2) << script;
    EXPECT_THAT(said_, HasSubstr("ERROR: what came from \"backup\" as WAL file " + kName))
        << script;
    EXPECT_THAT(said_, HasSubstr("HINT: ")) << script;
    EXPECT_THAT(delivered(), IsEmpty()) << script;
  }
  answer("cat $WAL");
  EXPECT_EQ(restore({}, "000000010000000000000004"), 2);
  EXPECT_EQ(restore({}, "00000002.history"), 2);
  EXPECT_THAT(delivered(), IsEmpty());
}

// The server of that name is another cluster by now.
TEST_F(WalRestore, AsksForTheWalOfTheClusterThatCalls) {
  const fs::path before = fs::current_path();
  fs::create_directories(directory_.path() / "data/global");
  const std::uint64_t own = wal::kSystem;
  std::string control(sizeof own, '\0');
  wal::store(control, 0, own);
  put_file(directory_.path() / "data/global/pg_control", control);
  fs::current_path(directory_.path() / "data");
  put_file(directory_.path() / "other",
           wal::make_segment(kName, {.text = "other", .system_id = own + 1}));
  const std::string other = "cat " + (directory_.path() / "other").string();
  const std::string own_words = fmt::format("--cluster {} ", own);

  answer("case \"$*\" in *'" + own_words + "'*) cat $WAL;; *) " + other + ";; esac");
  EXPECT_EQ(restore(), 0) << said_;
  EXPECT_EQ(wal::text_of_segment(get_file(data_ / "RECOVERYXLOG")), "content");
  // One that does not know the option, one that has no such WAL, and one that has not understood.
  answer("case \"$*\" in *--cluster*) exit 2;; *) " + other + ";; esac");
  EXPECT_EQ(restore(), 2);
  EXPECT_THAT(said_, AllOf(HasSubstr("is not of this cluster"), HasSubstr("main-VERSION-old")));
  answer("case \"$*\" in *--cluster*) exit 1;; *) " + other + ";; esac");
  EXPECT_EQ(restore(), 1);
  answer(other);
  EXPECT_EQ(restore(), 2);
  // In a recovery that would end there.
  put_file(directory_.path() / "data/recovery.signal", "");
  EXPECT_EQ(restore(), 126);
  EXPECT_THAT(delivered(), IsEmpty());
  fs::current_path(before);
}

// History files do not tell whose they are; a barman that knows several of that name says so.
TEST_F(WalRestore, SaysWhoAsksForAHistoryFile) {
  const fs::path before = fs::current_path();
  fs::create_directories(directory_.path() / "data/global");
  std::string control(sizeof(std::uint64_t), '\0');
  wal::store(control, 0, wal::kSystem);
  put_file(directory_.path() / "data/global/pg_control", control);
  fs::current_path(directory_.path() / "data");
  const std::string name = "00000002.history";
  const std::string several = "echo 'WARNING: say who asks: --cluster SYSTEM_ID' >&2;";
  const std::string own = fmt::format(
      "case \"$*\" in *'--cluster {} '*) printf '1\\t0/3000000\\town\\n'; exit 0;; ", wal::kSystem);
  for (const char* first : {"exit 1", "printf '1\\t0/5000000\\tother\\n'"}) {
    answer(own + "esac; " + several + first);
    EXPECT_EQ(restore({}, name), 0) << said_;
    EXPECT_EQ(get_file(data_ / "RECOVERYXLOG"), "1\t0/3000000\town\n");
    EXPECT_THAT(said_, Not(HasSubstr("WARNING")));
    // Its own cluster has none.
    answer("case \"$*\" in *--cluster*) exit 1;; esac; " + several + first);
    EXPECT_EQ(restore({}, name), 1);
    EXPECT_THAT(delivered(), IsEmpty());
    // A restricted key: whose the file is, is not known.
    answer("case \"$*\" in *--cluster*) echo 'not allowed' >&2; exit 2;; esac; " + several + first);
    EXPECT_EQ(restore({}, name), 2);
    EXPECT_THAT(delivered(), IsEmpty());
  }
  // Who has one only is not asked again, and what is said there is told.
  answer(own + "esac; echo 'no such file' >&2; exit 1");
  EXPECT_EQ(restore({}, name), 1);
  EXPECT_THAT(said_, HasSubstr("no such file"));
  fs::current_path(before);
}

TEST_F(WalRestore, APartialFileMayBeUnwritten) {
  answer("head -c 1048576 /dev/zero");
  EXPECT_EQ(restore({"--partial"}), 0) << said_;
}

TEST_F(WalRestore, WhatIsNotThereLeavesNothing) {
  put_file(data_ / "RECOVERYXLOG", "old");
  answer("exit 1");
  EXPECT_EQ(restore(), 1);
  EXPECT_THAT(delivered(), IsEmpty());
}

TEST_F(WalRestore, ASpoolThatCannotBeUsedIsDoneWithout) {
  answer("cat $WAL");
  put_file(directory_.path() / "file", "in the way");
  const std::string spool = (directory_.path() / "open").string();
  fs::create_directory(spool);
  fs::permissions(spool, fs::perms(0777));
  for (const std::string& place : {(directory_.path() / "file").string(), spool,
                                   (directory_.path() / "nowhere" / "spool").string()}) {
    EXPECT_EQ(restore({"--parallel", "4", "--spool-dir", place}), 0) << place;
    EXPECT_THAT(said_, HasSubstr("WARNING: fetching no file in advance: ")) << place;
    EXPECT_THAT(delivered(), ElementsAre("RECOVERYXLOG"));
    fs::remove(data_ / "RECOVERYXLOG");
  }
}

// The process in the background has no terminal: what it meets is told by the next call, once.
TEST_F(WalRestore, TellsWhyFetchingInAdvanceHasEnded) {
  const fs::path spool = directory_.path() / "spool";
  const std::vector<std::string> options = {"--parallel", "2", "--spool-dir", spool.string()};
  const auto has_reason = [&] {
    for (const auto& entry : fs::recursive_directory_iterator(spool)) {
      if (entry.path().filename() == ".last-reason") return true;
    }
    return false;
  };
  const auto wait_for_reason = [&] {
    for (int i = 0; i < 2000 && !has_reason(); ++i) ::usleep(5000);
    return has_reason();
  };
  answer("cat $WAL", "echo 'cannot open the index' >&2; exit 2");
  EXPECT_EQ(restore(options), 0);
  EXPECT_THAT(said_, Not(HasSubstr("WARNING")));
  ASSERT_TRUE(wait_for_reason());
  answer("cat $WAL");
  EXPECT_EQ(restore(options), 0);
  EXPECT_THAT(said_, AllOf(HasSubstr("WARNING: fetching files in advance has ended: "),
                           HasSubstr("ended with 2: cannot open the index (at ")));
  EXPECT_EQ(restore(options), 0);
  EXPECT_THAT(said_, Not(HasSubstr("WARNING")));
  // What comes is no WAL.
  answer("case \"$*\" in *04*) echo Welcome;; *) cat $WAL;; esac",
         "echo 000000010000000000000004; exit 0");
  EXPECT_EQ(restore(options), 0);
  ASSERT_TRUE(wait_for_reason());
  answer("cat $WAL", "exit 1");
  EXPECT_EQ(restore(options), 0);
  EXPECT_THAT(said_, HasSubstr("as WAL file 000000010000000000000004 is none"));
}

TEST_F(WalRestore, SaysWhenTheDestinationCannotBeOpened) {
  answer("cat $WAL");
  fs::remove(data_);
  EXPECT_EQ(restore(), 3);
  EXPECT_THAT(said_, HasSubstr("ERROR: Unable to open WAL_DEST "));
}

}  // namespace
}  // namespace barman::client
