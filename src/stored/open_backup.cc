#include "stored/open_backup.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <system_error>

#include <fmt/format.h>

#include "base/directory.h"
#include "base/error.h"
#include "catalogue/backup_kind.h"
#include "pipeline/relative_path.h"
#include "postgres/backup_manifest.h"
#include "stored/backup_writer.h"
#include "stored/bucket_tree.h"
#include "stored/plain_tree.h"
#include "stored/sequential_tree.h"

namespace barman::stored {

namespace {

// Those whose place is outside of the data directory.
std::vector<catalogue::Tablespace> separate_tablespaces(const catalogue::BackupInfo& backup) {
  std::vector<catalogue::Tablespace> separate;
  for (const catalogue::Tablespace& tablespace : backup.tablespaces) {
    if (tablespace.location != pipeline::in_place_location(tablespace.oid))
      separate.push_back(tablespace);
  }
  return separate;
}

// The metadata need not list them: archives "<oid>.tar…" that belong to no other tablespace.
std::set<std::uint32_t> list_in_place(const std::filesystem::path& data_directory,
                                      const std::vector<catalogue::Tablespace>& separate) {
  std::set<std::uint32_t> oids;
  // Without the directory there is no archive of the data directory either, which is told.
  for (const std::string& name : list_directory(data_directory)) {
    const std::size_t dot = name.find('.');
    const auto oid =
        pipeline::tablespace_oid_of(std::string(pipeline::kTablespaceLinks) + name.substr(0, dot));
    if (oid && dot != std::string::npos && name.substr(dot).starts_with(".tar") &&
        find_archive(data_directory, *oid)) {
      oids.insert(*oid);
    }
  }
  for (const catalogue::Tablespace& tablespace : separate) oids.erase(tablespace.oid);
  return oids;
}

// A tablespace that is a directory of the data directory, and has come in an archive of its own.
struct InPlaceTablespace {
  std::string path;  // "pg_tblspc/16384"
  std::shared_ptr<const ContentTree> content;
};

// The data directory in archives; its manifest lies beside them.
class ArchivedDataDirectory final : public ContentTree {
 public:
  ArchivedDataDirectory(std::shared_ptr<const ContentTree> archive,
                        std::vector<InPlaceTablespace> in_place, std::filesystem::path manifest)
      : archive_(std::move(archive)),
        in_place_(std::move(in_place)),
        manifest_(std::move(manifest)) {}

  void walk(const EntryVisitor& visit) const override {
    std::set<std::string> directories;
    archive_->walk([&](const Entry& entry) {
      if (entry.is_directory && entry.path.starts_with(pipeline::kTablespaceLinks))
        directories.insert(entry.path);
      visit(entry);
    });
    for (const InPlaceTablespace& tablespace : in_place_) {
      tablespace.content->walk([&](const Entry& entry) {
        if (const auto moved = moved_entry(entry, tablespace, directories)) visit(*moved);
      });
    }
    visit_manifest(visit);
  }
  bool has_random_access() const override {
    return archive_->has_random_access() &&
           std::all_of(in_place_.begin(), in_place_.end(), [](const InPlaceTablespace& tablespace) {
             return tablespace.content->has_random_access();
           });
  }
  void read_through(const ContentVisitor& visit) const override {
    std::set<std::string> directories;
    archive_->read_through([&](const Entry& entry, const ContentOpener& open) {
      if (entry.is_directory && entry.path.starts_with(pipeline::kTablespaceLinks))
        directories.insert(entry.path);
      visit(entry, open);
    });
    for (const InPlaceTablespace& tablespace : in_place_) {
      tablespace.content->read_through([&](const Entry& entry, const ContentOpener& open) {
        if (const auto moved = moved_entry(entry, tablespace, directories)) visit(*moved, open);
      });
    }
    visit_manifest([&](const Entry& entry) {
      visit(entry, [manifest = manifest_] { return open_plain_file(manifest); });
    });
  }
  bool has_file(const std::string& path) const override {
    if (path == postgres::kBackupManifest) return std::filesystem::is_regular_file(manifest_);
    const Place place = place_of(path);
    return place.tree.has_file(place.path);
  }
  std::unique_ptr<ContentFile> open(const std::string& path) const override {
    if (path == postgres::kBackupManifest) return open_plain_file(manifest_);
    const Place place = place_of(path);
    return place.tree.open(place.path);
  }
  std::string describe(const std::string& path) const override {
    if (path == postgres::kBackupManifest) return manifest_.string();
    const Place place = place_of(path);
    return place.tree.describe(place.path);
  }

 private:
  void visit_manifest(const EntryVisitor& visit) const {
    PlainTree(manifest_.parent_path()).walk_file(postgres::kBackupManifest, visit);
  }

  struct Place {
    const ContentTree& tree;
    std::string path;
  };
  Place place_of(const std::string& path) const {
    for (const InPlaceTablespace& tablespace : in_place_) {
      if (path.starts_with(tablespace.path + "/"))
        return {*tablespace.content, path.substr(tablespace.path.size() + 1)};
    }
    return {*archive_, path};
  }

  // The directory itself may be in the archive of the data directory, too.
  static std::optional<Entry> moved_entry(const Entry& entry, const InPlaceTablespace& tablespace,
                                          const std::set<std::string>& known) {
    if (entry.path.empty() && known.contains(tablespace.path)) return std::nullopt;
    Entry moved = entry;
    moved.path = entry.path.empty() ? tablespace.path : tablespace.path + "/" + entry.path;
    return moved;
  }

  const std::shared_ptr<const ContentTree> archive_;
  const std::vector<InPlaceTablespace> in_place_;
  const std::filesystem::path manifest_;
};

std::vector<BackupTree> open_archives(const std::filesystem::path& data_directory,
                                      const catalogue::BackupInfo& backup,
                                      const OpenOptions& options) {
  const auto cache = std::make_shared<FrameCache>();
  const auto open_tree = [&](std::uint32_t oid) -> std::shared_ptr<const ContentTree> {
    const std::optional<ArchiveFile> archive = find_archive(data_directory, oid);
    if (!archive) {
      throw Error(ErrorKind::corrupt,
                  fmt::format("backup '{}' has no archive \"{}.tar\" in \"{}\"", backup.id.value,
                              archive_stem(oid), data_directory.string()),
                  "Restore another backup, or put the archive in place.");
    }
    if (archive->is_encrypted && !options.cipher.can_decrypt()) {
      throw Error(
          ErrorKind::config,
          fmt::format("\"{}\" is encrypted, but no 'encryption_passphrase_command' is "
                      "configured",
                      archive->path.string()),
          "Set encryption_passphrase_command to a command that prints the passphrase of the "
          "key.");
    }
    if (auto tree = open_archive_tree(*archive, cache, options.without_index, options.interrupt)) {
      return tree;
    }
    return std::make_shared<SequentialTree>(*archive, options.interrupt, options.cipher);
  };
  std::vector<BackupTree> trees;
  const std::vector<catalogue::Tablespace> separate = separate_tablespaces(backup);
  for (const catalogue::Tablespace& tablespace : separate) {
    trees.push_back({tablespace.oid, open_tree(tablespace.oid)});
  }
  std::vector<InPlaceTablespace> in_place;
  for (const std::uint32_t oid : list_in_place(data_directory, separate))
    in_place.push_back({pipeline::in_place_location(oid), open_tree(oid)});
  trees.push_back({0, std::make_shared<ArchivedDataDirectory>(open_tree(0), std::move(in_place),
                                                              manifest_in(data_directory))});
  return trees;
}

}  // namespace

std::string BackupTree::manifest_prefix() const {
  return is_data_directory() ? std::string() : fmt::format("pg_tblspc/{}/", oid);
}

std::vector<BackupTree> open_backup(const catalogue::Catalogue& catalogue,
                                    const catalogue::BackupInfo& backup,
                                    const OpenOptions& options) {
  if (const auto bucket = catalogue.bucket()) return open_bucket_backup(*bucket, backup, options);
  if (catalogue::stored_form_of(backup) == catalogue::StoredForm::tar) {
    return open_archives(catalogue.data_directory(backup.id), backup, options);
  }
  std::vector<BackupTree> trees;
  std::set<std::string> names;
  for (const catalogue::Tablespace& tablespace : separate_tablespaces(backup)) {
    names.insert(std::to_string(tablespace.oid));
    trees.push_back({tablespace.oid, std::make_shared<PlainTree>(catalogue.tablespace_directory(
                                         backup.id, tablespace.oid))});
  }
  trees.push_back(
      {0, std::make_shared<PlainTree>(catalogue.data_directory(backup.id), std::move(names))});
  return trees;
}

}  // namespace barman::stored
