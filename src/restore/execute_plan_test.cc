#include "restore/execute_plan.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "base/anonymous_file.h"
#include "base/durable.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/process.h"
#include "base/test_support.h"
#include "base/text.h"
#include "compression/stored_file.h"
#include "host/test_support.h"
#include "postgres/backup_manifest.h"
#include "restore/remote_destination.h"
#include "restore/remote_places.h"
#include "restore/restore_marker.h"
#include "stored/plain_tree.h"

namespace barman::restore {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

class RecordedMessages final : public Messages {
 public:
  void debug(const std::string&) override {}
  void info(const std::string& text) override { infos.push_back(text); }
  void warning(const std::string& text) override { warnings.push_back(text); }
  void error(const std::string&) override {}
  void exception(const std::string&) override {}

  std::vector<std::string> infos;
  std::vector<std::string> warnings;
};

mode_t mode_of(const fs::path& path) {
  struct stat status = {};
  EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
  return status.st_mode & 0777;
}

// A small backup on disk: a data directory with a tablespace, a manifest, and two WAL segments.
class ExecutePlan : public testing::Test {
 protected:
  void SetUp() override {
    put("data/PG_VERSION", "15\n");
    put("data/postgresql.conf",
        "port = 5432\narchive_command = 'cp %p /a'\ninclude_dir = 'conf.d'\n");
    put("data/postgresql.auto.conf", "# auto\n");
    put("data/conf.d/10.conf", "recovery_target_action = pause\n");
    put("data/global/pg_control", "control");
    put("data/base/1/1259", std::string(600'000, 'x'));
    put("data/base/1/empty", "");
    put("data/log/today.log", "noise");
    put("data/standby.signal", "");
    put("tbs/PG_15_202209061/5/1", "in a tablespace");
    put("wals/000000010000000000000002", "segment two");
    fs::create_directories(root_ / "data/pg_wal");
    fs::create_directories(root_ / "data/pg_tblspc");
    fs::create_symlink(root_ / "tbs", root_ / "data/pg_tblspc/16384");
    put("data/backup_manifest", manifest());
    fs::permissions(root_ / "data", fs::perms::owner_all);
  }

  void put(const std::string& name, const std::string& content) {
    fs::create_directories((root_ / name).parent_path());
    write_file_durably(root_ / name, content, 0600);
    if (name.starts_with("data/")) listed_[name.substr(5)] = content;
    if (name.starts_with("tbs/")) listed_["pg_tblspc/16384/" + name.substr(4)] = content;
  }

  std::string manifest() const {
    std::string text;
    postgres::ManifestWriter writer([&](std::string_view part) { text += part; }, std::nullopt);
    for (const auto& [path, content] : listed_) {
      writer.add_file({.path = path,
                       .size_bytes = content.size(),
                       .last_modified = "2026-11-21 01:42:37 GMT",
                       .algorithm = DigestAlgorithm::crc32c,
                       .checksum = digest_of(DigestAlgorithm::crc32c, content)});
    }
    writer.finish();
    return text;
  }

  RestorePlan plan() const {
    RestorePlan plan;
    plan.server_name = "main";
    plan.backup_id = catalogue::BackupId{"20261121T014251"};
    plan.destination = root_ / "pg";
    plan.pg_wal_name = "pg_wal";
    plan.trees = {{.source = std::make_shared<stored::PlainTree>(root_ / "tbs"),
                   .destination = root_ / "new_tbs",
                   .manifest_prefix = "pg_tblspc/16384/"},
                  {.source = std::make_shared<stored::PlainTree>(root_ / "data",
                                                                 std::set<std::string>{"16384"}),
                   .destination = root_ / "pg",
                   .is_data_directory = true,
                   .manifest_name = "backup_manifest.20261121T014251"}};
    plan.tablespaces = {{.oid = 16384, .name = "tbs1", .location = root_ / "new_tbs"}};
    plan.wal.directory = root_ / "pg/pg_wal";
    plan.wal.is_copied = true;
    plan.wal.has_done_markers = true;
    plan.wal.files = {{root_ / "wals/000000010000000000000002", "000000010000000000000002", 11}};
    plan.examined_files = {"postgresql.conf", "postgresql.auto.conf"};
    plan.recover_info = "status=DONE\n";
    return plan;
  }

  ExecutedRestore execute(const RestorePlan& plan) {
    manifest_ = stored::ManifestIndex::load(root_ / "data/backup_manifest");
    NoProgress progress;
    const Interrupt interrupt;
    const RestoreReporting reporting{messages_, progress};
    return execute_plan(plan, make_local_destination(plan, reporting, interrupt), &*manifest_,
                        reporting, interrupt);
  }

  std::string content(const std::string& name) const { return read_file(root_ / name); }
  bool exists(const std::string& name) const { return fs::exists(root_ / name); }

  const TemporaryDirectory directory_;
  const fs::path root_ = directory_.path();
  std::map<std::string, std::string> listed_;
  std::optional<stored::ManifestIndex> manifest_;
  RecordedMessages messages_;
};

TEST_F(ExecutePlan, MakesACompleteDataDirectory) {
  const ExecutedRestore executed = execute(plan());
  EXPECT_EQ(content("pg/base/1/1259"), std::string(600'000, 'x'));
  EXPECT_EQ(content("pg/base/1/empty"), "");
  EXPECT_EQ(content("pg/global/pg_control"), "control");
  EXPECT_FALSE(exists("pg/global/pg_control.restoring"));
  EXPECT_EQ(content("new_tbs/PG_15_202209061/5/1"), "in a tablespace");
  EXPECT_EQ(fs::read_symlink(root_ / "pg/pg_tblspc/16384"), root_ / "new_tbs");
  EXPECT_EQ(content("pg/.barman-recover.info"), "status=DONE\n");
  EXPECT_EQ(content("pg/backup_manifest.20261121T014251"), content("data/backup_manifest"));
  EXPECT_FALSE(exists("pg/backup_manifest"));
  EXPECT_TRUE(exists("pg/log"));
  EXPECT_FALSE(exists("pg/log/today.log"));
  EXPECT_FALSE(exists("pg/standby.signal"));
  EXPECT_EQ(mode_of(root_ / "pg"), 0700U);
  EXPECT_EQ(mode_of(root_ / "pg/base/1/1259"), 0600U);
  EXPECT_EQ(fs::last_write_time(root_ / "pg/base/1/1259"),
            fs::last_write_time(root_ / "data/base/1/1259"));
  EXPECT_THAT(executed.missing_files, ElementsAre("pg_hba.conf", "pg_ident.conf"));
}

TEST_F(ExecutePlan, GroupAccessIsThatOfTheClusterWhateverTheUmask) {
  for (const char* const name :
       {"data/global/pg_control", "data/postgresql.conf", "data/postgresql.auto.conf"}) {
    fs::permissions(root_ / name, fs::perms(0640));
  }
  fs::permissions(root_ / "data/base", fs::perms(0750));
  RestorePlan asked = plan();
  asked.recovery = {.is_written = true,
                    .settings_file = "postgresql.auto.conf",
                    .settings = "recovery_target = 'immediate'\n",
                    .signal_file = "recovery.signal"};
  const mode_t umask_before = ::umask(077);
  execute(asked);
  ::umask(umask_before);
  for (const char* const name :
       {"pg", "pg/pg_wal", "pg/pg_wal/archive_status", "pg/pg_tblspc", "pg/base", "new_tbs"}) {
    EXPECT_EQ(mode_of(root_ / name), 0750U) << name;
  }
  for (const char* const name :
       {"pg/global/pg_control", "pg/.barman-recover.info", "pg/pg_wal/000000010000000000000002",
        "pg/postgresql.conf", "pg/postgresql.conf.origin", "pg/postgresql.auto.conf",
        "pg/recovery.signal"}) {
    EXPECT_EQ(mode_of(root_ / name), 0640U) << name;
  }
}

TEST_F(ExecutePlan, EveryPlaceIsMarkedUntilTheRestoreIsComplete) {
  RestorePlan asked = plan();
  asked.marker = {.server_name = "main",
                  .backup_id = asked.backup_id,
                  .destination = root_ / "pg",
                  .tablespaces = {{16384, root_ / "new_tbs"}},
                  .staging_wal = root_ / "staging"};
  asked.wal.directory = root_ / "staging";
  asked.wal.files[0].size_bytes = 12;  // fails there
  EXPECT_THROW(execute(asked), Error);
  for (const char* const name : {"pg", "new_tbs", "staging"}) {
    EXPECT_EQ(find_restore_marker(root_ / name), asked.marker) << name;
  }
  asked.wal.files[0].size_bytes = 11;
  asked.updates_existing = true;
  execute(asked);
  for (const char* const name : {"pg", "new_tbs", "staging"}) {
    EXPECT_EQ(find_restore_marker(root_ / name), std::nullopt) << name;
  }
}

TEST_F(ExecutePlan, AFileThatAnotherClusterSharesIsNotWritten) {
  execute(plan());
  fs::create_directories(root_ / "live");
  write_file_durably(root_ / "pg/base/1/1259", std::string(600'000, 'z'), 0600);
  fs::create_hard_link(root_ / "pg/base/1/1259", root_ / "live/1259");
  RestorePlan again = plan();
  again.updates_existing = true;
  execute(again);
  EXPECT_EQ(content("pg/base/1/1259"), std::string(600'000, 'x'));
  EXPECT_EQ(content("live/1259"), std::string(600'000, 'z'));
}

TEST_F(ExecutePlan, CopiesWalAndMarksItAsArchived) {
  execute(plan());
  EXPECT_EQ(content("pg/pg_wal/000000010000000000000002"), "segment two");
  EXPECT_TRUE(exists("pg/pg_wal/archive_status/000000010000000000000002.done"));
}

TEST_F(ExecutePlan, TellsEachStep) {
  execute(plan());
  EXPECT_THAT(
      messages_.infos,
      ElementsAre("Copying the base backup.", "\t16384, tbs1, " + (root_ / "new_tbs").string(),
                  "Copying required WAL segments.", "Generating archive status files",
                  "Identify dangerous settings in destination directory."));
}

TEST_F(ExecutePlan, NeutralisesSettingsInIncludedFilesToo) {
  RestorePlan asked = plan();
  asked.recovery = {.is_written = true,
                    .settings_file = "postgresql.auto.conf",
                    .settings = "recovery_target = 'immediate'\n",
                    .signal_file = "recovery.signal"};
  const ExecutedRestore executed = execute(asked);
  EXPECT_THAT(content("pg/postgresql.conf"), HasSubstr("\narchive_command = false\n"));
  EXPECT_EQ(content("pg/postgresql.conf.origin"), content("data/postgresql.conf"));
  EXPECT_EQ(content("pg/postgresql.auto.conf"), "# auto\n\nrecovery_target = 'immediate'\n");
  EXPECT_EQ(content("pg/conf.d/10.conf"), "#BARMAN#recovery_target_action = pause\n");
  EXPECT_THAT(
      executed.configuration.changes,
      ElementsAre(SettingNote{"postgresql.conf", 2, "archive_command", "false"},
                  SettingNote{"conf.d/10.conf", 1, "recovery_target_action", std::nullopt}));
  EXPECT_THAT(executed.configuration.warnings,
              ElementsAre(SettingNote{"postgresql.conf", 4, "include_dir", "'conf.d'"}));
  EXPECT_TRUE(exists("pg/recovery.signal"));
}

TEST_F(ExecutePlan, RefusesADamagedFileAndLeavesNoControlFile) {
  write_file_durably(root_ / "data/base/1/1259", std::string(599'999, 'x') + "y", 0600);
  try {
    execute(plan());
    FAIL() << "the damage was not noticed";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::corrupt);
    EXPECT_THAT(error.describe(), HasSubstr("Failure copying base backup: "));
    EXPECT_THAT(error.describe(), HasSubstr("base/1/1259\" is damaged"));
  }
  EXPECT_FALSE(exists("pg/global/pg_control"));
}

TEST_F(ExecutePlan, NoticesAFileThatShrinksMeanwhile) {
  RestorePlan asked = plan();
  asked.wal.files[0].size_bytes = 12;
  EXPECT_THROW(execute(asked), Error);
  EXPECT_FALSE(exists("pg/global/pg_control"));
}

TEST_F(ExecutePlan, FillsPartialSegmentsUp) {
  RestorePlan asked = plan();
  asked.wal.partials = {{root_ / "wals/000000010000000000000002", "000000010000000000000003", 11}};
  asked.wal.segment_size = wal::SegmentSize{std::uint64_t{1} << 20};
  execute(asked);
  EXPECT_EQ(fs::file_size(root_ / "pg/pg_wal/000000010000000000000003"), std::uint64_t{1} << 20);
  EXPECT_TRUE(exists("pg/pg_wal/archive_status/000000010000000000000003.done"));
}

class ScanTrees : public ExecutePlan {
 protected:
  std::vector<std::string> problems() {
    manifest_ = stored::ManifestIndex::load(root_ / "data/backup_manifest");
    return copy::scan_trees(plan().trees, &*manifest_, {}).problems;
  }
};

TEST_F(ScanTrees, CountsWhatWillBeCopied) {
  manifest_ = stored::ManifestIndex::load(root_ / "data/backup_manifest");
  const copy::TreeScan scan = copy::scan_trees(plan().trees, &*manifest_, {});
  EXPECT_TRUE(scan.problems.empty());
  // Without the log and the signal file, with the manifest.
  EXPECT_EQ(scan.file_count, 9U);
}

TEST_F(ScanTrees, FindsMissingAndTruncatedFilesBeforeAnythingIsCopied) {
  fs::remove(root_ / "data/base/1/empty");
  fs::resize_file(root_ / "tbs/PG_15_202209061/5/1", 3);
  EXPECT_THAT(problems(), ElementsAre("\"pg_tblspc/16384/PG_15_202209061/5/1\" has 3 bytes instead "
                                      "of 15",
                                      "\"base/1/empty\" is missing"));
}

TEST_F(ScanTrees, DoesNotMissWhatIsLeftOutAnyway) {
  fs::remove(root_ / "data/log/today.log");
  EXPECT_TRUE(problems().empty());
}

TEST_F(ScanTrees, RefusesLinksThatNobodyKnows) {
  fs::create_symlink("/etc", root_ / "data/pg_tblspc/99999");
  EXPECT_THROW(problems(), Error);
}

TEST_F(ScanTrees, NoticesADamagedManifest) {
  std::string text = content("data/backup_manifest");
  text[text.find("1259")] = '2';
  write_file_durably(root_ / "data/backup_manifest", text, 0600);
  EXPECT_THROW(problems(), Error);
}

TEST_F(ExecutePlan, DecompressesWalWhateverTheIndexSays) {
  const std::string segment = "000000010000000000000003";
  const fs::path packed = root_ / "wals" / segment;
  const std::string text = "the content of a segment";
  {
    const Fd plain = open_anonymous_file(root_);
    write_full(plain, as_bytes(text), "plain");
    const Fd target = open_file(packed, O_WRONLY | O_CREAT | O_TRUNC);
    compression::compress_file(plain, "plain", compression::Algorithm::lz4, 0, target.get(),
                               packed);
  }
  RestorePlan given = plan();
  given.wal.files.push_back({packed, segment, fs::file_size(packed)});
  execute(given);
  EXPECT_EQ(content("pg/pg_wal/" + segment), text);
  EXPECT_TRUE(exists("pg/pg_wal/archive_status/" + segment + ".done"));
}

// The same plan through ssh: the directory there is the one that a restore makes here.
class RemotePlan : public ExecutePlan {
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
  for (const bool is_compressed : {false, true}) {
    const mode_t umask_before = ::umask(077);
    messages_.infos.clear();
    const ExecutedRestore here = execute(remote_plan());
    const auto data = listing(root_ / "pg");
    const auto tablespace = listing(root_ / "new_tbs");
    const std::vector<std::string> told = std::exchange(messages_.infos, {});
    fs::remove_all(root_ / "pg");
    fs::remove_all(root_ / "new_tbs");
    const ExecutedRestore there =
        execute_there(remote_plan(), ssh_.host(), {.is_compressed = is_compressed});
    ::umask(umask_before);
    EXPECT_EQ(listing(root_ / "pg"), data);
    EXPECT_EQ(listing(root_ / "new_tbs"), tablespace);
    EXPECT_EQ(messages_.infos, told);
    EXPECT_EQ(there.configuration.changes, here.configuration.changes);
    EXPECT_EQ(there.configuration.warnings, here.configuration.warnings);
    EXPECT_EQ(there.missing_files, here.missing_files);
    EXPECT_EQ(mode_of(root_ / "pg"), is_compressed ? 0750U : 0700U);
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
  execute_there(remote_plan(), host, {.is_compressed = true});
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
    compression::compress_file(plain, "plain", compression::Algorithm::lz4, 0, target.get(),
                               packed);
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
  try {
    inspect_remote_places(ssh_.host("away"), request, {}, facts, {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.describe(), HasSubstr("Unable to connect to the target host using the "
                                            "command '"));
    EXPECT_THAT(error.describe(), HasSubstr("no route to away"));
  }
}

}  // namespace
}  // namespace barman::restore
