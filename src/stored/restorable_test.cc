#include "stored/restorable.h"

#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/digest.h"
#include "catalogue/test_support.h"
#include "postgres/backup_manifest.h"
#include "stored/archive_test_support.h"

namespace barman::stored {
namespace {

namespace fs = std::filesystem;

using catalogue::BackupInfo;
using testing::HasSubstr;

class RestorableTest : public testing::Test {
 protected:
  RestorableTest() {
    backup_ = catalogue::make_backup("20261121T014332", "000000010000000000000002",
                                     "000000010000000000000003");
    backup_.status = catalogue::BackupStatus::started;
    backup_.tablespaces = {{.name = "a", .oid = 16384, .location = "/srv/a"}};
    files_ = {{"PG_VERSION", "17\n"},
              {"base/5/1259", std::string(8192, 'b')},
              {"pg_tblspc/16384/PG_17_1/5/1", "outside"},
              {"pg_tblspc/16385/PG_17_1/5/2", "in place"}};
  }

  fs::path data() const { return catalogue_.data_directory(backup_.id); }

  void put_manifest() const {
    std::string text;
    postgres::ManifestWriter writer([&](std::string_view part) { text += part; }, std::nullopt);
    for (const auto& [path, content] : files_)
      writer.add_file({.path = path,
                       .size_bytes = content.size(),
                       .last_modified = "2026-11-21 05:27:30 GMT",
                       .algorithm = DigestAlgorithm::crc32c,
                       .checksum = crc32c_text(
                           crc32c_finish(crc32c_extend(kCrc32cInitial, as_bytes(content))))});
    writer.finish();
    put_file(data() / "backup_manifest", text);
  }

  void put_plain() {
    for (const auto& [path, content] : files_) {
      const bool is_outside = path.starts_with(kOutside);
      put_file(is_outside ? catalogue_.tablespace_directory(backup_.id, 16384) /
                                path.substr(kOutside.size())
                          : data() / path,
               content);
    }
    fs::create_symlink(catalogue_.tablespace_directory(backup_.id, 16384),
                       data() / "pg_tblspc/16384");
    put_manifest();
  }

  void put_archive_of(const std::string& stem, const std::string& prefix) const {
    pipeline::FileSink file(data() / (stem + ".tar"));
    pipeline::TarWriter tar(file);
    for (const auto& [path, content] : files_) {
      const bool is_here =
          prefix.empty() ? !path.starts_with("pg_tblspc/") : path.starts_with(prefix);
      if (is_here)
        tar.add_file({.path = path.substr(prefix.size()),
                      .mode = 0600,
                      .size_bytes = content.size(),
                      .mtime = 1700000001},
                     content);
    }
    tar.finish();
  }

  void put_tar() {
    backup_.compression = "none";
    fs::create_directories(data());
    put_archive_of("base", "");
    put_archive_of("16384", "pg_tblspc/16384/");
    put_archive_of("16385", "pg_tblspc/16385/");
    put_manifest();
    // Archives that came in have their indexes.
    open_backup(catalogue_, backup_, {.without_index = WithoutIndex::scan});
  }

  // "" when it can be restored.
  std::string problem() const {
    catalogue_.save(backup_);
    try {
      require_restorable(catalogue_, backup_.id, {});
    } catch (const Error& error) {
      return error.describe();
    }
    return "";
  }

  static constexpr std::string_view kOutside = "pg_tblspc/16384/";
  TemporaryDirectory directory_;
  catalogue::Catalogue catalogue_{catalogue::default_locations("main", directory_.path() / "main")};
  BackupInfo backup_;
  std::map<std::string, std::string> files_;
};

TEST_F(RestorableTest, AcceptsWhatIsComplete) {
  put_plain();
  EXPECT_EQ(problem(), "");
}

TEST_F(RestorableTest, FindsWhatThePlainFormLacks) {
  put_plain();
  fs::create_symlink("/srv/new", data() / "pg_tblspc/16399");
  EXPECT_THAT(problem(), HasSubstr("neither a file nor a directory"));
  fs::remove(data() / "pg_tblspc/16399");
  put_file(data() / "base/5/1259", "short");
  EXPECT_THAT(problem(), HasSubstr("\"base/5/1259\" with 5 bytes instead of 8192"));
  fs::remove(data() / "base/5/1259");
  EXPECT_THAT(problem(), HasSubstr("lacks \"base/5/1259\""));
  fs::remove_all(catalogue_.tablespace_directory(backup_.id, 16384));
  EXPECT_THAT(problem(), HasSubstr("has lost its directory"));
  fs::remove_all(data());
  EXPECT_THAT(problem(), HasSubstr("has lost its directory"));
}

TEST_F(RestorableTest, FindsWhatTheMetadataLacks) {
  put_plain();
  const BackupInfo good = backup_;
  backup_.end_wal.reset();
  EXPECT_THAT(problem(), HasSubstr("no usable end_wal"));
  backup_ = good;
  backup_.timeline.reset();
  EXPECT_THAT(problem(), HasSubstr("no timeline"));
  backup_ = good;
  backup_.tablespaces.push_back(backup_.tablespaces.front());
  EXPECT_THAT(problem(), HasSubstr("impossible list of tablespaces"));
  backup_ = good;
  backup_.parent_backup_id = catalogue::BackupId{"20261120T000000"};
  EXPECT_THAT(problem(), HasSubstr("20261120T000000"));
}

TEST_F(RestorableTest, ReadsTablespacesInPlaceFromTheirArchives) {
  put_tar();
  EXPECT_EQ(problem(), "");
  const std::vector<BackupTree> trees = open_backup(catalogue_, backup_);
  ASSERT_EQ(trees.size(), 2U);
  const ContentTree& tree = *trees.back().content;
  EXPECT_EQ(read_content(tree, "pg_tblspc/16385/PG_17_1/5/2"), "in place");
  std::map<std::string, bool> entries;
  tree.walk([&](const Entry& entry) {
    EXPECT_TRUE(entries.emplace(entry.path, entry.is_directory).second) << entry.path;
  });
  EXPECT_TRUE(entries.at("pg_tblspc/16385"));
  EXPECT_FALSE(entries.at("pg_tblspc/16385/PG_17_1/5/2"));
  std::map<std::string, std::string> contents;
  tree.read_through([&](const Entry& entry, const ContentOpener& open) {
    if (entry.is_directory) return;
    const std::unique_ptr<ContentFile> file = open();
    std::string content(file->size_bytes(), '\0');
    file->read_at(0, std::as_writable_bytes(std::span(content)));
    contents[entry.path] = content;
  });
  EXPECT_EQ(contents.at("pg_tblspc/16385/PG_17_1/5/2"), "in place");
}

TEST_F(RestorableTest, FindsWhatTheArchivesLack) {
  put_tar();
  fs::remove(data() / "16385.tar");
  EXPECT_THAT(problem(), HasSubstr("lacks \"pg_tblspc/16385/PG_17_1/5/2\""));
  fs::remove(data() / "16384.tar");
  EXPECT_THAT(problem(), HasSubstr("has no archive \"16384.tar\""));
}

}  // namespace
}  // namespace barman::stored
