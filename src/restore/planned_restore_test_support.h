// A small backup on disk, the plan of its restore, and what is told while it is carried out.
#pragma once

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/durable.h"
#include "base/test_support.h"
#include "postgres/backup_manifest.h"
#include "restore/execute_plan.h"
#include "stored/plain_tree.h"

namespace barman::restore {

class RestoreMessages final : public Messages {
 public:
  void debug(const std::string&) override {}
  void info(const std::string& text) override { infos.push_back(text); }
  void warning(const std::string& text) override { warnings.push_back(text); }
  void error(const std::string&) override {}
  void exception(const std::string&) override {}

  std::vector<std::string> infos;
  std::vector<std::string> warnings;
};

inline mode_t mode_of(const std::filesystem::path& path) {
  struct stat status = {};
  EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
  return status.st_mode & 0777;
}

// A small backup on disk: a data directory with a tablespace, a manifest, and two WAL segments.
class PlannedRestore : public testing::Test {
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
    std::filesystem::create_directories(root_ / "data/pg_wal");
    std::filesystem::create_directories(root_ / "data/pg_tblspc");
    std::filesystem::create_symlink(root_ / "tbs", root_ / "data/pg_tblspc/16384");
    put("data/backup_manifest", manifest());
    std::filesystem::permissions(root_ / "data", std::filesystem::perms::owner_all);
  }

  void put(const std::string& name, const std::string& content) {
    std::filesystem::create_directories((root_ / name).parent_path());
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
  bool exists(const std::string& name) const { return std::filesystem::exists(root_ / name); }

  const TemporaryDirectory directory_;
  const std::filesystem::path root_ = directory_.path();
  std::map<std::string, std::string> listed_;
  std::optional<stored::ManifestIndex> manifest_;
  RestoreMessages messages_;
};

}  // namespace barman::restore
