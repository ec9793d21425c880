#include "backup/rsync_output.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace barman::backup {
namespace {

using testing::HasSubstr;

RsyncVerdict judge_text(int exit_code, std::string_view errors,
                        const std::set<std::string>& noise = {}) {
  return judge({.exit_code = exit_code, .errors = errors, .noise = noise});
}

Error error_of(int exit_code, std::string_view errors) {
  const std::set<std::string> noise;
  return rsync_error({.exit_code = exit_code, .errors = errors, .noise = noise},
                     {.remote = "the host of PostgreSQL (ssh pg)", .option = "ssh_command"});
}

TEST(RsyncListing, TellsTypeSizeTimeAndName) {
  const auto file = parse_listed_file("-rw-r-----        8192 2026/11/29 15:39:38 base/5/1259");
  ASSERT_TRUE(file);
  EXPECT_EQ(file->type, ListedFile::Type::file);
  EXPECT_EQ(file->mode, mode_t{0640});
  EXPECT_EQ(file->size_bytes, 8192U);
  EXPECT_EQ(file->modified, 1795966778);
  EXPECT_EQ(file->name, "base/5/1259");
  const auto directory = parse_listed_file("drwx--S---        4096 2026/11/29 15:39:38 .");
  ASSERT_TRUE(directory);
  EXPECT_EQ(directory->type, ListedFile::Type::directory);
  EXPECT_EQ(directory->mode, mode_t{0700});
  EXPECT_EQ(directory->name, ".");
  EXPECT_EQ(parse_listed_file("srwxrwxrwx           0 2026/11/29 15:39:38 s")->type,
            ListedFile::Type::other);
}

TEST(RsyncListing, KeepsNamesAsTheyAre) {
  EXPECT_EQ(parse_listed_file("-rw-------           1 2026/11/29 15:39:38  a  b ")->name, " a  b ");
  EXPECT_EQ(
      parse_listed_file(R"(-rw-------           1 2026/11/29 15:39:38 n\#012l\#303\#274)")->name,
      "n\nl\xC3\xBC");
  EXPECT_EQ(unescape_rsync_name(R"(a\#134#012)"), "a\\#012");
  EXPECT_EQ(unescape_rsync_name(R"(\#9 \#01)"), R"(\#9 \#01)");
}

TEST(RsyncListing, IgnoresOtherLines) {
  for (const char* line :
       {"", "receiving file list ... done", "-rw-------", "Welcome to pg-primary",
        "-rw-------        8192 yesterday 15:39:38 base/1"}) {
    EXPECT_FALSE(parse_listed_file(line)) << line;
  }
}

TEST(RsyncReport, TellsWhatHasBecomeOfAFile) {
  const auto received = parse_reported_file(">f+++++++++ 8192 8215 base/5/12 59");
  ASSERT_TRUE(received);
  EXPECT_EQ(received->action, ReportedFile::Action::received);
  EXPECT_TRUE(received->is_file);
  EXPECT_EQ(received->size_bytes, 8192U);
  EXPECT_EQ(received->name, "base/5/12 59");
  EXPECT_EQ(parse_reported_file("hf          2 0 a")->action, ReportedFile::Action::linked);
  EXPECT_EQ(parse_reported_file("cf          2 0 a")->action, ReportedFile::Action::copied_here);
  EXPECT_EQ(parse_reported_file(".f          2 0 a")->action, ReportedFile::Action::unchanged);
  EXPECT_FALSE(parse_reported_file("cd+++++++++ 4096 0 base/")->is_file);
  EXPECT_FALSE(parse_reported_file("created directory /x"));
}

TEST(RsyncEnd, FilesThatGoAreNoFailure) {
  EXPECT_EQ(judge_text(0, ""), RsyncVerdict::done);
  EXPECT_EQ(judge_text(24, "file has vanished: \"/d/base/1/2\"\n"), RsyncVerdict::done);
  constexpr std::string_view kGone =
      "rsync: [sender] link_stat \"/d/base/1/2\" failed: No such file or directory (2)\n"
      "rsync: [sender] read errors mapping \"/d/base/1/3\": No data available (61)\n"
      "WARNING: base/1/3 failed verification -- update retained (will try again).\n"
      "rsync error: some files/attrs were not transferred (see previous errors) (code 23) at "
      "main.c(1956) [generator=3.2.7]\n";
  EXPECT_EQ(judge_text(23, kGone), RsyncVerdict::done);
}

TEST(RsyncEnd, AClosedConnectionIsNoFailureWhenThereWasNothing) {
  const std::string closed = "rsync: [Receiver] write error: Broken pipe (32)\n";
  EXPECT_EQ(judge_text(23, closed), RsyncVerdict::failed);
  EXPECT_EQ(judge_text(23,
                       "rsync: [sender] link_stat \"/d/x\" failed: No such file or directory "
                       "(2)\n" +
                           closed),
            RsyncVerdict::done);
}

TEST(RsyncEnd, WhatCouldNotBeReadIsAFailure) {
  for (const char* line :
       {"rsync: [sender] send_files failed to open \"/d/x\": Permission denied (13)",
        "rsync: [sender] opendir \"/d/base\" failed: Permission denied (13)",
        "rsync: [sender] read errors mapping \"/d/base/1/3\": Input/output error (5)",
        "rsync: [sender] readdir(\"/d/base\"): Input/output error (5)", "something new"}) {
    EXPECT_EQ(judge_text(23, std::string(line) + "\n"), RsyncVerdict::failed) << line;
  }
  EXPECT_EQ(judge_text(12, ""), RsyncVerdict::failed);
  EXPECT_EQ(judge_text(137, ""), RsyncVerdict::failed);
}

TEST(RsyncEnd, GreetingsAreNoComplaints) {
  EXPECT_EQ(judge_text(23, "Authorised users only\n"), RsyncVerdict::failed);
  EXPECT_EQ(judge_text(23, "Authorised users only\n", {"Authorised users only"}),
            RsyncVerdict::done);
}

TEST(RsyncEnd, FilesThatDoNotSettleAreCopiedAgain) {
  EXPECT_EQ(judge_text(23, "ERROR: base/1/3 failed verification -- update retained.\n"),
            RsyncVerdict::again);
}

TEST(RsyncEnd, SaysWhatTheUserCanDo) {
  const Error refused = error_of(255, "pg@h: Permission denied (publickey).\nrsync: x\n");
  EXPECT_EQ(refused.kind(), ErrorKind::connection);
  EXPECT_THAT(refused.message(), HasSubstr("Permission denied (publickey)"));
  EXPECT_THAT(refused.hint(), HasSubstr("Try ssh_command by hand"));
  const Error elsewhere =
      error_of(12,
               "rsync: [sender] change_dir \"/d\" failed: No such file or directory (2)\n"
               "rsync error: errors selecting input/output files, dirs (code 3) at flist.c(1)\n"
               "rsync: connection unexpectedly closed (0 bytes received so far) [Receiver]\n");
  EXPECT_THAT(elsewhere.message(), HasSubstr("there is no such directory on the host"));
  const Error missing = error_of(127, "sh: 1: rsync: not found\n");
  EXPECT_THAT(missing.message(), HasSubstr("there is no rsync on the host of PostgreSQL"));
  const Error missing_first =
      error_of(12,
               "bash: line 1: rsync: command not found\r\nrsync: connection unexpectedly closed "
               "(0 bytes received so far) [Receiver]\n");
  EXPECT_THAT(missing_first.message(), HasSubstr("there is no rsync on the host of PostgreSQL"));
  EXPECT_EQ(
      error_of(12, "rsync: connection unexpectedly closed (812 bytes received so far)\n").kind(),
      ErrorKind::connection);
  EXPECT_EQ(error_of(10, "rsync error: error in socket IO (code 10) at io.c(949)\n").kind(),
            ErrorKind::connection);
  const Error one_directory =
      error_of(12,
               "/usr/bin/rrsync error: option -L has been disabled on this server.\n"
               "rsync: connection unexpectedly closed (0 bytes received so far) [Receiver]\n");
  EXPECT_EQ(one_directory.kind(), ErrorKind::permission);
  EXPECT_THAT(one_directory.message(), HasSubstr("allows rsync for one directory only"));
  EXPECT_THAT(one_directory.hint(), HasSubstr("command=\"rrsync -ro /\""));
  const Error write_only =
      error_of(12,
               "/usr/bin/rrsync error: reading from write-only server is not allowed\n"
               "rsync: connection unexpectedly closed (0 bytes received so far) [Receiver]\n");
  EXPECT_EQ(write_only.kind(), ErrorKind::permission);
  EXPECT_THAT(write_only.message(), HasSubstr("may write only"));
  const Error missing_here = error_of(127, "env: 'rsync': No such file or directory\n");
  EXPECT_THAT(missing_here.message(), HasSubstr("there is no rsync on this host"));
  const Error talking = error_of(2, "protocol version mismatch -- is your shell clean?\n");
  EXPECT_THAT(talking.hint(), HasSubstr(".bashrc"));
  EXPECT_EQ(error_of(23, "rsync: [sender] opendir \"/d\" failed: Permission denied (13)\n").kind(),
            ErrorKind::permission);
}

TEST(RsyncOutput, TellsLinksThatLeadNowhere) {
  const std::set<std::string> noise;
  const RsyncEnd end{.exit_code = 23,
                     .errors =
                         "Welcome\nsymlink has no referent: \"/pg/base/1/a\\#012b\"\n"
                         "symlink has no referent: \"/pg/it\"\n",
                     .noise = noise};
  EXPECT_THAT(dead_links_of(end), testing::ElementsAre("/pg/base/1/a\nb", "/pg/it"));
}

TEST(RsyncPattern, MatchesNothingElse) {
  EXPECT_EQ(rsync_pattern("base/spaces"), "base/spaces");
  EXPECT_EQ(rsync_pattern("a\\b"), "a\\b");
  EXPECT_EQ(rsync_pattern("a*[b\\"), "a\\*\\[b\\\\");
  EXPECT_EQ(rsync_path("/a b/[1]*\\"), "/a b/\\[1\\]\\*\\");
  EXPECT_EQ(rsync_shell_word("a 'b'"), "'a ''b'''");
}

}  // namespace
}  // namespace barman::backup
