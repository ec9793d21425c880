// For unit tests: a backup in a bucket in memory, and what a tar archive has.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "base/test_support.h"
#include "catalogue/test_support.h"
#include "pipeline/tar_reader.h"
#include "pipeline/tar_writer.h"
#include "storage/test_support.h"
#include "stored/backup_store.h"
#include "stored/kept_configuration.h"
#include "stored/test_support.h"

namespace barman::transfer {

using TransferredFiles = std::map<std::string, std::string>;

// Directories as "dir/".
class ListedTar final : public pipeline::TarVisitor {
 public:
  void begin_member(const pipeline::TarMember& member) override {
    const bool is_directory = member.type == pipeline::TarMemberType::directory;
    path_ = is_directory ? member.path + "/" : member.path;
    files[path_];
  }
  void write(Bytes data) override { files[path_] += as_text(data); }
  void end_member() override {}

  TransferredFiles files;

 private:
  std::string path_;
};

class TarText final : public pipeline::Sink {
 public:
  void write(Bytes data) override { text += as_text(data); }
  void finish() override {}
  std::string text;
};

inline TransferredFiles list_tar(const std::string& text) {
  ListedTar listed;
  pipeline::TarReader reader(listed, "export.tar", pipeline::TarEnd::required);
  reader.write(as_bytes(text));
  reader.finish();
  return listed.files;
}

// Of a server "main", with a tablespace and kept configuration.
struct BucketInMemory {
  explicit BucketInMemory(
      std::shared_ptr<storage::Storage> objects = std::make_shared<storage::MemoryStorage>())
      : storage(std::move(objects)) {
    locations = catalogue::default_locations("main", directory.path() / "main");
    locations.has_local_backups = false;
    locations.bucket =
        catalogue::BucketLocation{.open = [this] { return storage; }, .path = "path/main/base"};
    backup = catalogue::make_backup("20261121T010000", "000000010000000000000002",
                                    "000000010000000000000003");
    backup.tablespaces = {{.name = "ts", .oid = 16384, .location = "/srv/ts"}};
  }

  catalogue::Catalogue catalogue() const { return catalogue::Catalogue(locations); }

  static TransferredFiles data_files() {
    return {{"PG_VERSION", "17\n"},
            {"backup_label", "label"},
            {"base/1/1259", std::string(100'000, 'x')},
            {"global/pg_control", "control"}};
  }
  static TransferredFiles tablespace_files() { return {{"PG_17_1/5/1", "of the tablespace"}}; }
  static std::string manifest() {
    TransferredFiles listed = data_files();
    for (const auto& [path, content] : tablespace_files()) {
      listed["pg_tblspc/16384/" + path] = content;
    }
    return stored::manifest_of(listed);
  }

  static void put_files(stored::TreeSink& tree, const TransferredFiles& files) {
    for (const auto& [path, content] : files) {
      tree.begin_member({.path = path, .mode = 0600, .size_bytes = content.size(), .mtime = 1});
      tree.write(as_bytes(content));
      tree.end_member();
    }
    tree.finish();
  }

  void put_backup(const stored::ArchiveForm& form, const TransferredFiles& files = data_files()) {
    const catalogue::Catalogue there = catalogue();
    const stored::BackupStore store(there);
    store.clear(backup.id);
    const auto writer = store.create(backup.id, {.tablespaces = {16384}, .bucket_form = form});
    put_files(writer->begin_tree({.oid = 16384}), tablespace_files());
    put_files(writer->begin_tree({.oid = 0}), files);
    const auto sink = writer->put_manifest();
    sink->write(as_bytes(manifest()));
    sink->finish();
    writer->make_durable();
    if (form.cipher) backup.encryption = "gpg";
    stored::keep_configuration(there, backup.id,
                               {{.name = "conf.d/more.conf", .content = "a = 1\n"}}, form.cipher);
  }

  TemporaryDirectory directory;
  std::shared_ptr<storage::Storage> storage;
  catalogue::CatalogueLocations locations;
  catalogue::BackupInfo backup;
};

}  // namespace barman::transfer
