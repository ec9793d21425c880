// What is no WAL of the server, and what helpers and readers do wrong, on the way in and on the way
// out. No PostgreSQL.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/text.h"
#include "support/barman_home.h"
#include "support/catalogue_files.h"
#include "support/temp_dir.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

const std::string kName = "000000010000000000000001";

class WalDoor : public ::testing::Test {
 protected:
  WalDoor() {
    barman_.add_section("main", {{"conninfo", "host=/nowhere user=barman dbname=postgres"},
                                 {"archiver", "on"},
                                 {"backup_method", "postgres"},
                                 {"streaming_conninfo", "host=/nowhere user=barman"}});
    fs::create_directories(incoming());
    fs::create_directory(programs());
  }

  fs::path directory(const std::string& name) const {
    return barman_.server_directory("main") / name;
  }
  fs::path incoming() const { return directory("incoming"); }
  fs::path programs() const { return place_.path() / "bin"; }
  static std::size_t count(const fs::path& directory) {
    if (!fs::exists(directory)) return 0;
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(directory), fs::directory_iterator()));
  }

  // As archive_command sends it, without the words of barman-wal-archive.
  CommandResult put(const std::string& name, const std::string& content) {
    write_text(place_.path() / name, content);
    run_checked({.argv = {"sh", "-c",
                          fmt::format("cd {0} && sha256sum --binary {1} > SHA256SUMS && tar -cf "
                                      "stream {1} SHA256SUMS",
                                      shell_quote(place_.path().string()), name)}});
    CommandRequest request = barman_.request({"put-wal", "main"});
    request.input = read_text(place_.path() / "stream");
    return run_command(request);
  }
  // A program of that name comes before the real one.
  CommandRequest with_program(CommandRequest request, const std::string& name,
                              const std::string& script) const {
    write_text(programs() / name, "#!/bin/sh\n" + script + "\n");
    fs::permissions(programs() / name, fs::perms::owner_all);
    const char* const path = std::getenv("PATH");
    request.environment["PATH"] = programs().string() + ":" + (path != nullptr ? path : "");
    return request;
  }

  BarmanHome barman_;
  TempDir place_;
};

TEST_F(WalDoor, PutWalRefusesWhatIsNone) {
  const std::string segment = wal_segment(kName, "content");
  EXPECT_THAT(put("f0", segment).err, HasSubstr("Not the name of a WAL file: 'f0' in put-wal"));
  EXPECT_THAT(put("main-xlog.db", "x").err, HasSubstr("Not the name of a WAL file"));
  EXPECT_EQ(put(kName, "").exit_code, 1);
  EXPECT_THAT(put(kName, "hello").err, HasSubstr("it begins with \"hello\""));
  EXPECT_THAT(put(kName, segment.substr(0, 70000)).err, HasSubstr("it has 70000 bytes"));
  EXPECT_EQ(count(incoming()), 0U);
  const CommandResult good = put(kName, segment);
  EXPECT_EQ(good.exit_code, 0) << good.err;
  EXPECT_EQ(count(incoming()), 1U);
}

TEST_F(WalDoor, ArchiveWalKeepsTheGoodFile) {
  const fs::path archived = archived_wal(barman_, "main", kName);
  fs::create_directories(archived.parent_path());
  write_text(archived, "stored by somebody");
  write_text(incoming() / kName, wal_segment(kName, "content"));
  const std::string other = "000000010000000000000002";
  write_text(incoming() / other, "hello");
  write_text(incoming() / std::string(240, 'x'), "a long name");
  const CommandResult result = barman_.run({"archive-wal", "main"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("what was archived as " + kName + " in server main is none"));
  EXPECT_THAT(result.out,
              HasSubstr(other + " is no WAL file of server main: it begins with \"hello\""));
  EXPECT_EQ(read_text(archived), wal_segment(kName, "content"));
  EXPECT_EQ(count(directory("errors")), 3U);
  EXPECT_EQ(count(incoming()), 0U);
  const std::vector<IndexedWal> index = read_wal_index(barman_, "main");
  ASSERT_EQ(index.size(), 1U);
  EXPECT_EQ(index[0].size_bytes, 1 << 20);
}

// A gpg that lost its input says nothing but its exit code.
TEST_F(WalDoor, NothingIsArchivedWhenGpgFails) {
  barman_.set("main", "encryption", "gpg");
  barman_.set("main", "encryption_key_id", "somebody");
  write_text(incoming() / kName, wal_segment(kName, "content"));
  for (const std::string ending : {"exit 2", "exit 0"}) {
    const CommandResult result =
        run_command(with_program(barman_.request({"archive-wal", "main"}), "gpg",
                                 "while [ \"$1\" != --status-fd ]; do shift; done\n"
                                 "head -c 100000; eval \"echo '[GNUPG:] END_ENCRYPTION' >&$2\"; " +
                                     ending));
    EXPECT_EQ(result.exit_code, 1) << ending;
    EXPECT_THAT(result.err, HasSubstr("gpg ended before all was encrypted")) << ending;
    EXPECT_TRUE(fs::exists(incoming() / kName)) << ending;
    EXPECT_FALSE(fs::exists(archived_wal(barman_, "main", kName))) << ending;
  }
}

TEST_F(WalDoor, OnlyWalGetsTheNameOfWalAtTheDatabase) {
  ASSERT_EQ(put(kName, wal_segment(kName, "content")).exit_code, 0);
  const fs::path destination = place_.path() / "RECOVERYXLOG";
  const std::string program =
      fs::path(barman_.request({}).argv.at(0)).parent_path() / "barman-wal-restore";
  std::string get_wal;
  for (const std::string& word : barman_.request({"get-wal", "main", kName}).argv) {
    get_wal += shell_quote(word) + " ";
  }
  const auto restore = [&](const std::string& greeting) {
    CommandRequest request = barman_.request({});
    request.argv = {program, "backup", "main", kName, destination.string()};
    request.environment["TMPDIR"] = place_.path().string();
    return run_command(with_program(
        request, "ssh",
        "case \" $* \" in *\" -G \"*) exit 0;; esac\n" + greeting + "\nexec " + get_wal));
  };
  const CommandResult bad = restore("echo Welcome to this host");
  EXPECT_EQ(bad.exit_code, 2);
  EXPECT_THAT(bad.err, HasSubstr("as WAL file " + kName + " is none: it begins with \"Welcome"));
  EXPECT_FALSE(fs::exists(destination));
  const CommandResult good = restore("");
  EXPECT_EQ(good.exit_code, 0) << good.err;
  EXPECT_EQ(read_text(destination), wal_segment(kName, "content"));
}

// A reader that does not read, and one that is not there.
TEST_F(WalDoor, GetWalEndsWhenItIsToldToAndSaysWhenNothingArrived) {
  ASSERT_EQ(put(kName, wal_segment(kName, "content")).exit_code, 0);
  const CommandRequest get_wal = barman_.request({"get-wal", "main", kName});
  std::string program;
  for (const std::string& word : get_wal.argv) program += shell_quote(word) + " ";
  // timeout(1) exits with 124 when SIGTERM has ended it, and with 137 when only SIGKILL did.
  const CommandResult blocked = run_command(
      {.argv = {"bash", "-c", "set -o pipefail; timeout -k 20 1 " + program + "| sleep 3"},
       .environment = get_wal.environment});
  EXPECT_EQ(blocked.exit_code, 124) << blocked.err;
  for (const std::string output : {">&-", ">/dev/full"}) {
    const CommandResult lost =
        run_command({.argv = {"bash", "-c", program + output}, .environment = get_wal.environment});
    EXPECT_NE(lost.exit_code, 0) << output;
    EXPECT_THAT(lost.err, HasSubstr("standard output")) << output;
  }
  EXPECT_EQ(run_command(get_wal).out, wal_segment(kName, "content"));
}

}  // namespace
}  // namespace barman::test
