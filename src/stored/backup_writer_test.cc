#include "stored/backup_writer.h"

#include <map>
#include <memory>
#include <ostream>

#include <gtest/gtest.h>

#include "catalogue/test_support.h"
#include "compression/codec.h"
#include "pipeline/tar_writer.h"
#include "stored/archive_file.h"
#include "stored/backup_store.h"

namespace barman::stored {
namespace {

namespace fs = std::filesystem;

using catalogue::StoredForm;
using compression::Algorithm;
using pipeline::TarMember;
using pipeline::TarMemberType;

constexpr std::uint32_t kTablespace = 16384;

struct Form {
  const char* name;
  WriterOptions options;
  // As the metadata names it.
  std::optional<std::string> compression;
};

void PrintTo(const Form& form, std::ostream* out) { *out << form.name; }

std::vector<Form> forms() {
  std::vector<Form> forms = {
      {.name = "plain", .options = {.tablespaces = {kTablespace}}, .compression = {}},
      {.name = "tar", .options = {.form = StoredForm::tar}, .compression = "none"},
      {.name = "zstd",
       .options = {.form = StoredForm::tar,
                   .coding = {.algorithm = Algorithm::zstd, .place = CompressionPlace::client}},
       .compression = "zstd"}};
  return forms;
}

class StringSink final : public pipeline::Sink {
 public:
  void write(Bytes data) override { text += as_text(data); }
  void finish() override {}
  std::string text;
};

class CountingTap final : public pipeline::TarVisitor {
 public:
  CountingTap(pipeline::TarVisitor& next, int& count) : next_(next), count_(count) {}
  void begin_member(const TarMember& member) override {
    ++count_;
    next_.begin_member(member);
  }
  void write(Bytes data) override { next_.write(data); }
  void end_member() override { next_.end_member(); }

 private:
  pipeline::TarVisitor& next_;
  int& count_;
};

class BackupWriterTest : public testing::TestWithParam<Form> {
 protected:
  using Files = std::map<std::string, std::string>;

  BackupWriterTest() {
    backup_ = catalogue::make_backup("20261121T014332", "", "");
    backup_.compression = GetParam().compression;
    backup_.tablespaces = {{.name = "a", .oid = kTablespace, .location = "/srv/a"}};
    data_ = {
        {"PG_VERSION", "17\n"}, {"base/5/1259", std::string(3'000'000, 'b')}, {"base/5/1260", ""}};
    tablespace_ = {{"PG_17_1/5/1", std::string(9000, 'x')}};
  }

  static TarMember directory(const std::string& path) {
    return {.path = path, .type = TarMemberType::directory, .mode = 0700, .mtime = 1700000000};
  }
  static TarMember file(const std::string& path, const std::string& content) {
    return {.path = path, .mode = 0600, .size_bytes = content.size(), .mtime = 1700000000};
  }
  static std::vector<std::string> directories_of(const Files& files) {
    std::vector<std::string> directories;
    if (files.contains("PG_VERSION")) return {"base", "base/5", "pg_tblspc"};
    return {"PG_17_1", "PG_17_1/5"};
  }

  static void write_members(TreeSink& sink, const Files& files) {
    for (const std::string& path : directories_of(files)) {
      sink.begin_member(directory(path));
      sink.end_member();
    }
    for (const auto& [path, content] : files) {
      sink.begin_member(file(path, content));
      sink.write(as_bytes(content));
      sink.end_member();
    }
    sink.finish();
  }
  static std::string tar_of(const Files& files) {
    StringSink sink;
    pipeline::TarWriter tar(sink);
    for (const std::string& path : directories_of(files)) tar.begin_member(directory(path));
    for (const auto& [path, content] : files) tar.add_file(file(path, content), content);
    tar.finish();
    return sink.text;
  }
  static void finish(BackupWriter& writer) {
    const auto manifest = writer.put_manifest();
    manifest->write(as_bytes("manifest"));
    manifest->finish();
    writer.make_durable();
  }

  Files read(std::uint32_t oid) const {
    Files files;
    for (const BackupTree& tree : store_.open(backup_)) {
      if (tree.oid != oid) continue;
      tree.content->walk([&](const Entry& entry) {
        if (!entry.is_directory) files[entry.path] = read_content(*tree.content, entry.path);
      });
    }
    return files;
  }
  void expect_stored() const {
    Files data = read(0);
    EXPECT_EQ(data.extract("backup_manifest").mapped(), "manifest");
    EXPECT_TRUE(data == data_);
    EXPECT_TRUE(read(kTablespace) == tablespace_);
    const fs::path link = catalogue_.data_directory(backup_.id) / "pg_tblspc/16384";
    const bool is_plain = GetParam().options.form == StoredForm::plain;
    EXPECT_EQ(fs::is_symlink(link), is_plain);
  }

  TemporaryDirectory home_;
  catalogue::Catalogue catalogue_{catalogue::default_locations("main", home_.path() / "main")};
  BackupStore store_{catalogue_};
  catalogue::BackupInfo backup_;
  Files data_;
  Files tablespace_;
};

INSTANTIATE_TEST_SUITE_P(Forms, BackupWriterTest, testing::ValuesIn(forms()),
                         [](const auto& form) { return std::string(form.param.name); });

TEST_P(BackupWriterTest, StoresMembers) {
  const auto writer = store_.create(backup_.id, GetParam().options);
  write_members(writer->begin_tree({.oid = kTablespace, .in_place_location = {}}), tablespace_);
  write_members(writer->begin_tree({}), data_);
  finish(*writer);
  expect_stored();
}

TEST_P(BackupWriterTest, StoresAStreamAndShowsItsMembers) {
  const auto writer = store_.create(backup_.id, GetParam().options);
  int count = 0;
  const BackupWriter::MemberTap tap = [&](pipeline::TarVisitor& next) {
    return std::make_unique<CountingTap>(next, count);
  };
  for (const auto& [oid, files] : {std::pair{kTablespace, tablespace_}, std::pair{0U, data_}}) {
    pipeline::Sink& stream = writer->begin_stream({.oid = oid, .in_place_location = {}}, tap);
    const std::string tar = tar_of(files);
    constexpr std::size_t kPiece = 32768;
    for (std::size_t begin = 0; begin < tar.size(); begin += kPiece) {
      stream.write(as_bytes(std::string_view(tar).substr(begin, kPiece)));
    }
    stream.finish();
  }
  finish(*writer);
  expect_stored();
  EXPECT_EQ(count, 9) << "4 files and 5 directories";
}

TEST_P(BackupWriterTest, RefusesAStreamWithoutItsEnd) {
  const auto writer = store_.create(backup_.id, GetParam().options);
  pipeline::Sink& stream = writer->begin_stream({}, {});
  const std::string tar = tar_of(data_);
  stream.write(as_bytes(std::string_view(tar).substr(0, tar.size() - 1024)));
  EXPECT_THROW(stream.finish(), Error);
}

TEST_P(BackupWriterTest, LeavesNothingOfAnEarlierAttempt) {
  const BackupDirectories places = store_.directories(backup_.id);
  put_file(places.data_directory / "stale", "x");
  put_file(places.tablespace_directory(99999) / "stale", "x");
  store_.clear(backup_.id);
  const auto writer = store_.create(backup_.id, GetParam().options);
  write_members(writer->begin_tree({}), data_);
  writer->make_durable();
  EXPECT_FALSE(fs::exists(places.data_directory / "stale"));
  EXPECT_FALSE(fs::exists(places.tablespace_directory(99999)));
}

TEST(CopyWriter, KeepsTheFormAndPublishesUnderItsName) {
  const TemporaryDirectory home;
  const catalogue::Catalogue catalogue(catalogue::default_locations("main", home.path() / "main"));
  const BackupStore store(catalogue);
  const catalogue::BackupId id{"20261121T014332"};
  const fs::path staged = home.path() / "main/base/.staged";
  fs::create_directories(staged);
  put_file(catalogue.base_directory(id) / "old", "x");
  for (const CopiedLinks links : {CopiedLinks::refuse, CopiedLinks::make}) {
    const auto writer = make_copy_writer(staged, links);
    TreeSink& tree = writer->begin_tree({});
    tree.begin_member({.path = "data", .type = TarMemberType::directory, .mode = 0700});
    tree.end_member();
    tree.begin_member({.path = "data/base.tar", .mode = 0600, .size_bytes = 3});
    tree.write(as_bytes("tar"));
    tree.end_member();
    const TarMember link = {
        .path = "data/link", .type = TarMemberType::symlink, .link_target = "base.tar"};
    if (links == CopiedLinks::refuse) {
      EXPECT_THROW(tree.begin_member(link), Error);
    } else {
      tree.begin_member(link);
      tree.end_member();
    }
    tree.finish();
    writer->make_durable();
  }
  store.publish(staged, id);
  EXPECT_EQ(read_file(catalogue.data_directory(id) / "base.tar"), "tar");
  EXPECT_TRUE(fs::is_symlink(catalogue.data_directory(id) / "link"));
  EXPECT_FALSE(fs::exists(catalogue.base_directory(id) / "old"));
  EXPECT_EQ(store.facts(id).size_bytes, 3);
  store.remove(id);
  store.remove(id);
  EXPECT_FALSE(fs::exists(catalogue.base_directory(id)));
}

}  // namespace
}  // namespace barman::stored
