#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstddef>
#include <filesystem>
#include <iterator>
#include <map>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/anonymous_file.h"
#include "base/durable.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/process.h"
#include "base/text.h"
#include "compression/test_support.h"
#include "host/test_support.h"
#include "restore/planned_restore_test_support.h"
#include "restore/remote_destination.h"
#include "restore/remote_guard.h"
#include "restore/remote_places.h"
#include "restore/restore_marker.h"
#include "wal/test_support.h"

namespace barman::restore {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

// The same plan through ssh: the directory there is the one that a restore makes here.
class RemotePlan : public PlannedRestore {
 protected:
  // What is below a directory: its kind, mode, time and content. What a restore writes by itself
  // has the time of now.
  static std::map<std::string, std::string> listing(const fs::path& directory) {
    std::map<std::string, std::string> found;
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(directory)) {
      const std::string name = entry.path().lexically_relative(directory).string();
      struct stat status = {};
      EXPECT_EQ(::lstat(entry.path().c_str(), &status), 0);
      std::string& text = found[name] = fmt::format("{:o} ", status.st_mode);
      if (entry.is_symlink()) text += fs::read_symlink(entry.path()).string();
      if (entry.is_regular_file() && !entry.is_symlink()) text += read_file(entry.path());
    }
    return found;
  }

  RestorePlan remote_plan() const {
    RestorePlan asked = plan();
    asked.recovery = {.is_written = true,
                      .settings_file = "postgresql.auto.conf",
                      .settings = "recovery_target = 'immediate'\n",
                      .signal_file = "recovery.signal"};
    return asked;
  }

  ExecutedRestore execute_there(const RestorePlan& asked, const host::Host& host,
                                const RemoteOptions& options = {}) {
    manifest_ = stored::ManifestIndex::load(root_ / "data/backup_manifest");
    NoProgress progress;
    const Interrupt interrupt;
    const RestoreReporting reporting{messages_, progress};
    return execute_plan(asked, make_remote_destination(asked, host, options, reporting, interrupt),
                        &*manifest_, reporting, interrupt);
  }

  host::FakeSsh ssh_;
};

TEST_F(RemotePlan, MakesTheSameDirectoryThere) {
  for (const NetworkCompression form :
       {NetworkCompression::never, NetworkCompression::automatic, NetworkCompression::always}) {
    const mode_t umask_before = ::umask(077);
    messages_.infos.clear();
    const ExecutedRestore here = execute(remote_plan());
    const auto data = listing(root_ / "pg");
    const auto tablespace = listing(root_ / "new_tbs");
    const std::vector<std::string> told = std::exchange(messages_.infos, {});
    fs::remove_all(root_ / "pg");
    fs::remove_all(root_ / "new_tbs");
    const ExecutedRestore there = execute_there(remote_plan(), ssh_.host(), {.compression = form});
    ::umask(umask_before);
    EXPECT_EQ(listing(root_ / "pg"), data);
    EXPECT_EQ(listing(root_ / "new_tbs"), tablespace);
    EXPECT_EQ(messages_.infos, told);
    EXPECT_EQ(there.configuration.changes, here.configuration.changes);
    EXPECT_EQ(there.configuration.warnings, here.configuration.warnings);
    EXPECT_EQ(there.missing_files, here.missing_files);
    EXPECT_EQ(mode_of(root_ / "pg"), form == NetworkCompression::never ? 0700U : 0750U);
    fs::remove_all(root_ / "pg");
    fs::remove_all(root_ / "new_tbs");
    for (const char* const name : {"data/global/pg_control", "data/postgresql.conf", "data/base"}) {
      fs::permissions(root_ / name, fs::perms::group_read | fs::perms::group_exec,
                      fs::perm_options::add);
    }
  }
}

TEST_F(RemotePlan, ADamagedFileLeavesNeitherControlFileNorTheSettingsOfTheSource) {
  write_file_durably(root_ / "data/base/1/1259", std::string(599'999, 'x') + "y", 0600);
  try {
    execute_there(remote_plan(), ssh_.host());
    FAIL() << "the damage was not noticed";
  } catch (const Error& error) {
    EXPECT_THAT(error.describe(), HasSubstr("base/1/1259\" is damaged"));
  }
  EXPECT_TRUE(exists("pg/global"));
  EXPECT_FALSE(exists("pg/global/pg_control"));
  EXPECT_FALSE(exists("pg/postgresql.conf"));
  EXPECT_TRUE(exists("pg/.barman-restoring"));
}

// Between the look at the places and the lock somebody else may have had them.
TEST_F(RemotePlan, LeavesPlacesAloneThatHaveFilledMeanwhile) {
  for (const char* const place : {"pg", "new_tbs"}) {
    put(fmt::format("{}/PG_15_202209061/1", place), "of another restore");
    try {
      execute_there(remote_plan(), ssh_.host());
      FAIL() << "it was written into " << place;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::conflict);
      EXPECT_THAT(error.describe(), HasSubstr(fmt::format("/{} is not empty any more", place)));
    }
    EXPECT_FALSE(exists("pg/global"));
    for (const char* const one : {"pg", "new_tbs"}) {
      EXPECT_FALSE(exists(fmt::format("{}/.barman-restoring", one)));
      EXPECT_FALSE(exists(fmt::format("{}/.barman-restore.pid", one)));
      fs::remove_all(root_ / one);
    }
  }
}

TEST_F(RemotePlan, HoldsTablespacesToo) {
  constexpr const char* kLock = "new_tbs/.barman-restore.pid";
  put(kLock, "4999999\n");  // of nobody
  std::optional<RemoteGuard> guard;
  const RestorePlan asked = remote_plan();
  const host::SshHost host = ssh_.host();
  guard.emplace(host, asked, Interrupt());
  EXPECT_NE(content(kLock), "4999999\n");
  EXPECT_EQ(content(kLock), content("pg/.barman-restore.pid"));
  guard->release({});
  EXPECT_FALSE(exists(kLock));
  EXPECT_FALSE(exists("pg/.barman-restore.pid"));
}

TEST_F(RemotePlan, BusyBoxIsEnoughThere) {
  const fs::path busybox =
      strip(run_process({.argv = shell_command("command -v busybox")}).standard_output);
  if (busybox.empty()) GTEST_SKIP() << "there is no busybox";
  fs::create_directory(root_ / "programs");
  for (const char* name : {"sh", "ls", "mkdir", "rm", "ln", "mv", "chmod", "sync", "tar"}) {
    fs::create_symlink(busybox, root_ / "programs" / name);
  }
  const host::SshHost host({.command = "env PATH=" + (root_ / "programs").string() + " " +
                                       (ssh_.directory() / "ssh").string() + " there",
                            .title = "the other host",
                            .option = "ssh_command"});
  RestoreFacts facts;
  RestoreRequest request;
  request.destination = (root_ / "pg").string();
  inspect_remote_places(host, request, {}, facts, {});
  EXPECT_TRUE(facts.destination.is_writable);
  execute(remote_plan());
  const auto data = listing(root_ / "pg");
  fs::remove_all(root_ / "pg");
  fs::remove_all(root_ / "new_tbs");
  execute_there(remote_plan(), host, {.compression = NetworkCompression::always});
  EXPECT_EQ(listing(root_ / "pg"), data);
}

TEST_F(RemotePlan, OfTwoRestoresIntoOneDirectoryOneFails) {
  fs::create_directories(root_ / "pg/global");
  EXPECT_THROW(execute_there(remote_plan(), ssh_.host()), Error);
  EXPECT_FALSE(exists("pg/base"));
}

TEST_F(RemotePlan, WalIsDecodedOnTheWay) {
  const std::string text(4096, 'w');
  const fs::path packed = root_ / "wals/000000010000000000000003";
  {
    const Fd plain = open_anonymous_file(root_);
    write_full(plain, as_bytes(text), "plain");
    const Fd target = open_file(packed, O_WRONLY | O_CREAT | O_TRUNC);
    compression::compress_file(plain, compression::Algorithm::lz4, target.get());
  }
  RestorePlan asked = remote_plan();
  asked.wal.segment_size = wal::SegmentSize{text.size()};
  asked.wal.files.push_back({packed, "000000010000000000000003", fs::file_size(packed)});
  asked.wal.partials = {{root_ / "wals/000000010000000000000002", "000000010000000000000004", 11}};
  execute_there(asked, ssh_.host());
  EXPECT_EQ(content("pg/pg_wal/000000010000000000000003"), text);
  EXPECT_EQ(fs::file_size(root_ / "pg/pg_wal/000000010000000000000004"), text.size());
  EXPECT_TRUE(exists("pg/pg_wal/archive_status/000000010000000000000003.done"));
}

// Each tar waits until there are two of them: with one connection nothing would go on.
TEST_F(RemotePlan, WalGoesOverSeveralConnections) {
  RestorePlan asked = remote_plan();
  const std::string text(std::size_t{1} << 20, 'w');  // more than a pipe holds
  asked.wal.segment_size = wal::SegmentSize{text.size()};
  asked.wal.files.clear();
  for (int number = 2; number < 8; ++number) {
    const std::string segment = "00000001000000000000000" + std::to_string(number);
    put("wals/" + segment, text);
    asked.wal.files.push_back({root_ / "wals" / segment, segment, text.size()});
  }
  asked.worker_count = 3;
  const fs::path meeting = root_ / "meeting";
  fs::create_directory(meeting);
  const fs::path program = root_ / "meeting ssh";
  write_file_durably(program,
                     "#!/bin/sh\ncase \"$*\" in\n  *xpof*" + (root_ / "pg/pg_wal").string() +
                         "*)\n    : > \"$(mktemp " + meeting.string() +
                         "/XXXXXX)\"\n    tries=0\n"
                         "    while [ $(ls " +
                         meeting.string() +
                         " | wc -l) -lt 2 ]; do\n"
                         "      tries=$((tries + 1)); [ $tries -lt 600 ] || exit 9\n"
                         "      sleep 0.1\n    done ;;\nesac\nexec sh -c \"$*\"\n",
                     0700);
  const host::SshHost host({.command = shell_quote(program.string()),
                            .title = "the other host",
                            .option = "ssh_command"});
  execute_there(asked, host);
  EXPECT_LE(std::distance(fs::directory_iterator(meeting), fs::directory_iterator()), 3);
  for (const WalFileCopy& file : asked.wal.files) {
    EXPECT_EQ(content("pg/pg_wal/" + file.name), text);
    EXPECT_TRUE(exists("pg/pg_wal/archive_status/" + file.name + ".done"));
  }
}

TEST_F(RemotePlan, PlacesAreLookedAtBeforeAnythingIsSent) {
  put("full/file", "x");
  put("hidden/.file", "x");
  put("plain", "x");
  RestoreFacts facts;
  RestoreRequest request;
  const auto look = [&](const std::string& place) {
    request.destination = (root_ / place).string();
    inspect_remote_places(ssh_.host(), request, {}, facts, {});
    return facts.destination;
  };
  EXPECT_FALSE(look("full").is_empty);
  EXPECT_TRUE(look("hidden").is_empty);
  EXPECT_TRUE(look("full").is_directory);
  EXPECT_FALSE(look("plain").is_directory);
  EXPECT_TRUE(look("plain").exists);
  EXPECT_GT(look("full").available_bytes, 0U);
  fs::create_directory_symlink(root_ / "full", root_ / "link");
  EXPECT_EQ(look("link/it's new\n/x").resolved, fs::canonical(root_) / "full/it's new\n/x");
  EXPECT_FALSE(look("link/new").exists);
  EXPECT_TRUE(look("link/new").is_writable);
  EXPECT_FALSE(look("link/new").is_on_read_only_disk);
  try {
    inspect_remote_places(ssh_.host("away"), request, {}, facts, {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.describe(), HasSubstr("Unable to connect to the target host using the "
                                            "command '"));
    EXPECT_THAT(error.describe(), HasSubstr("no route to away"));
  }
}

// What is there already: an older state of the cluster, with files that nobody knows.
class RemoteUpdatePlan : public RemotePlan {
 protected:
  // A restore, and then changes.
  void make_older_state() {
    execute_there(remote_plan(), ssh_.host());
    messages_.infos.clear();
    put("pg/base/1/1259", std::string(599'999, 'x') + "y");  // of the same size
    put("pg/base/1/later", "not in the backup");
    put("pg/base/2/1", "a database of later");
    put("pg/run me.sh", "of somebody");
    put("pg/.hidden", "of somebody");
    put("pg/pg_wal/000000010000000000000009", std::string(64, '\0'));
    put("pg/pg_wal/000000010000000000000003", "of another history");
    put("pg/pg_wal/00000002.history", "1\t0/3000000\n");
    put("new_tbs/PG_15_202209061/5/later", "not in the backup");
    put("new_tbs/PG_16_202307071/5/1", "of another version");
    fs::remove(root_ / "pg/conf.d/10.conf");
  }
  RestorePlan update_plan() const {
    RestorePlan asked = remote_plan();
    asked.updates_existing = true;
    asked.worker_count = 3;
    asked.archived_here = {"000000010000000000000002", "000000010000000000000003"};
    return asked;
  }
  // By its name below a directory with the time in its name.
  std::string saved(const std::string& name) const {
    for (const fs::directory_entry& entry : fs::directory_iterator(root_ / "pg")) {
      if (!entry.path().filename().string().starts_with(".barman-saved-")) continue;
      if (fs::exists(entry.path() / name)) return read_file(entry.path() / name);
    }
    return "(not there)";
  }
};

TEST_F(RemoteUpdatePlan, SendsWhatDiffersAndRemovesWhatDoesNotBelong) {
  execute(remote_plan());
  const auto data = listing(root_ / "pg");
  fs::remove_all(root_ / "pg");
  fs::remove_all(root_ / "new_tbs");
  make_older_state();
  const auto inode_of = [&](const std::string& name) {
    struct stat status = {};
    EXPECT_EQ(::stat((root_ / name).c_str(), &status), 0) << name;
    return status.st_ino;
  };
  const ino_t right = inode_of("new_tbs/PG_15_202209061/5/1");
  const ino_t right_wal = inode_of("pg/pg_wal/000000010000000000000002");
  execute_there(update_plan(), ssh_.host());
  EXPECT_EQ(inode_of("new_tbs/PG_15_202209061/5/1"), right);
  EXPECT_EQ(inode_of("pg/pg_wal/000000010000000000000002"), right_wal);
  EXPECT_THAT(messages_.infos, Contains(HasSubstr(" were there already.")));
  auto updated = listing(root_ / "pg");
  std::erase_if(updated,
                [](const auto& entry) { return entry.first.starts_with(".barman-saved-"); });
  EXPECT_EQ(updated.count(".hidden"), 1U);
  updated.erase(".hidden");
  EXPECT_EQ(updated, data);
  EXPECT_FALSE(exists("new_tbs/PG_15_202209061/5/later"));
  EXPECT_TRUE(exists("new_tbs/PG_16_202307071/5/1"));
  EXPECT_EQ(saved("run me.sh"), "of somebody");
  EXPECT_EQ(saved("pg_wal/00000002.history"), "1\t0/3000000\n");
  EXPECT_THAT(saved("pg_wal/SHA256SUMS"), HasSubstr(" *00000002.history\n"));
  EXPECT_EQ(saved("pg_wal/000000010000000000000009"), "(not there)");
  EXPECT_THAT(messages_.warnings,
              ElementsAre(HasSubstr("had 1 WAL file(s) that are not in the archive"),
                          HasSubstr("'run me.sh'")));
}

// An earlier restore has laid it there: the receiver has it, and more by now.
TEST_F(RemoteUpdatePlan, DoesNotSaveWhatTheReceiverHas) {
  make_older_state();
  const std::string zeroes(1000, '\0');
  put("pg/pg_wal/000000010000000000000005", "received" + zeroes);
  put("pg/pg_wal/000000010000000000000006", "received, and written by that server" + zeroes);
  put("streaming/000000010000000000000005.partial", "received and more");
  put("streaming/000000010000000000000006.partial", "received and more");
  RestorePlan asked = update_plan();
  for (const char* name : {"000000010000000000000005", "000000010000000000000006"})
    asked.received_partials[name] = root_ / "streaming" / (std::string(name) + ".partial");
  execute_there(asked, ssh_.host());
  EXPECT_EQ(saved("pg_wal/000000010000000000000005"), "(not there)");
  EXPECT_FALSE(exists("pg/pg_wal/000000010000000000000005"));
  EXPECT_THAT(saved("pg_wal/000000010000000000000006.partial"), HasSubstr("written by that"));
}

// WAL for a recovery with a target, in a directory of its own.
TEST_F(RemoteUpdatePlan, SendsOnlyTheWalThatDiffers) {
  put("wals/000000010000000000000003", "segment three");
  RestorePlan asked = update_plan();
  asked.wal.directory = root_ / "pg/barman_wal";
  asked.wal.has_done_markers = false;
  asked.wal.files.push_back(
      {root_ / "wals/000000010000000000000003", "000000010000000000000003", 13});
  RestorePlan first = asked;
  first.updates_existing = false;
  execute_there(first, ssh_.host());
  put("pg/barman_wal/000000010000000000000003", "segment THREE");
  put("pg/barman_wal/000000010000000000000004", "not in the archive any more");
  struct stat before = {};
  struct stat after = {};
  const fs::path right = root_ / "pg/barman_wal/000000010000000000000002";
  ASSERT_EQ(::stat(right.c_str(), &before), 0);
  execute_there(asked, ssh_.host());
  ASSERT_EQ(::stat(right.c_str(), &after), 0);
  EXPECT_EQ(after.st_ino, before.st_ino);
  EXPECT_EQ(content("pg/barman_wal/000000010000000000000003"), "segment three");
  EXPECT_FALSE(exists("pg/barman_wal/000000010000000000000004"));
  EXPECT_TRUE(exists("pg/barman_wal/archive_status"));
}

// Nothing is lost when a run ends anywhere: the next one finds what is there.
TEST_F(RemoteUpdatePlan, GoesOnAfterDamageInTheMiddle) {
  make_older_state();
  put("data/base/1/1259", std::string(600'000, 'z'));  // not what its manifest says
  EXPECT_THROW(execute_there(update_plan(), ssh_.host()), Error);
  EXPECT_FALSE(exists("pg/global/pg_control"));
  EXPECT_TRUE(exists("pg/.barman-restoring"));
  put("data/base/1/1259", std::string(600'000, 'x'));
  execute_there(update_plan(), ssh_.host());
  EXPECT_EQ(content("pg/base/1/1259"), std::string(600'000, 'x'));
  EXPECT_EQ(content("pg/global/pg_control"), "control");
  EXPECT_FALSE(exists("pg/.barman-restoring"));
  EXPECT_FALSE(exists("pg/.barman-restore.pid"));
}

TEST_F(RemoteUpdatePlan, FollowsNoLinkButThatOfTheWal) {
  make_older_state();
  fs::create_directory(root_ / "wal disk");
  fs::rename(root_ / "pg/pg_wal", root_ / "wal disk/pg_wal");
  fs::create_directory_symlink(root_ / "wal disk/pg_wal", root_ / "pg/pg_wal");
  put("elsewhere/1259", "of somebody");
  fs::remove_all(root_ / "pg/base/1");
  fs::create_directory_symlink(root_ / "elsewhere", root_ / "pg/base/1");
  execute_there(update_plan(), ssh_.host());
  EXPECT_TRUE(fs::is_symlink(root_ / "pg/pg_wal"));
  EXPECT_EQ(content("wal disk/pg_wal/000000010000000000000002"), "segment two");
  EXPECT_FALSE(exists("wal disk/pg_wal/000000010000000000000009"));
  EXPECT_FALSE(fs::is_symlink(root_ / "pg/base/1"));
  EXPECT_EQ(content("elsewhere/1259"), "of somebody");
  EXPECT_EQ(content("pg/base/1/1259"), std::string(600'000, 'x'));
}

TEST_F(RemoteUpdatePlan, LeavesAHeldDirectoryAndAServerThatStartsAlone) {
  make_older_state();
  put("pg/postmaster.pid", fmt::format("{}\n", ::getpid()));
  try {
    execute_there(update_plan(), ssh_.host());
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.describe(), HasSubstr("PostgreSQL is being started on"));
  }
  EXPECT_TRUE(exists("pg/global/pg_control"));
  EXPECT_TRUE(exists("pg/base/1/later"));
  EXPECT_FALSE(exists("pg/.barman-restoring"));
  EXPECT_FALSE(exists("pg/.barman-restore.pid"));
}

// It may be the only copy.
TEST_F(RemoteUpdatePlan, LeavesWalAloneThatCannotBeRead) {
  make_older_state();
  const std::string kept = "pg/pg_wal/000000010000000000000009";
  put(kept, wal::make_segment("000000010000000000000009"));
  fs::create_directory(root_ / "programs");
  write_file_durably(root_ / "programs/od", "#!/bin/sh\necho 'od: no' >&2\nexit 1\n", 0700);
  const host::SshHost host({.command = "env PATH=" + (root_ / "programs").string() +
                                       ":/usr/bin:/bin " + (ssh_.directory() / "ssh").string() +
                                       " there",
                            .title = "the other host",
                            .option = "ssh_command"});
  try {
    execute_there(update_plan(), host);
    FAIL() << "it does not matter what is in it";
  } catch (const Error& error) {
    EXPECT_THAT(error.describe(), HasSubstr("cannot look at the WAL in"));
  }
  EXPECT_TRUE(exists(kept));
}

TEST_F(RemoteUpdatePlan, BusyBoxIsEnoughToUpdate) {
  const fs::path busybox =
      strip(run_process({.argv = shell_command("command -v busybox")}).standard_output);
  if (busybox.empty()) GTEST_SKIP() << "there is no busybox";
  fs::create_directory(root_ / "programs");
  for (const char* name : {"sh", "ls", "mkdir", "rm", "ln", "mv", "chmod", "sync", "tar", "cat",
                           "find", "od", "sha256sum", "stat", "xargs"}) {
    fs::create_symlink(busybox, root_ / "programs" / name);
  }
  const host::SshHost host({.command = "env PATH=" + (root_ / "programs").string() + " " +
                                       (ssh_.directory() / "ssh").string() + " there",
                            .title = "the other host",
                            .option = "ssh_command"});
  make_older_state();
  execute_there(update_plan(), host);
  EXPECT_EQ(content("pg/base/1/1259"), std::string(600'000, 'x'));
  EXPECT_FALSE(exists("pg/base/1/later"));
  EXPECT_EQ(saved("run me.sh"), "of somebody");
  EXPECT_THAT(messages_.infos, Contains(HasSubstr(" were there already.")));
}

}  // namespace
}  // namespace barman::restore
