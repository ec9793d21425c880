#include "content/open_backup.h"

#include <algorithm>
#include <filesystem>
#include <thread>

#include <fmt/format.h>

#include "base/error.h"
#include "content/plain_tree.h"
#include "content/sequential_tree.h"

namespace barman::content {

namespace {

constexpr const char* kManifest = "backup_manifest";

// The data directory in an archive; its manifest lies beside the archive.
class ArchivedDataDirectory final : public ContentTree {
 public:
  ArchivedDataDirectory(std::shared_ptr<const ContentTree> archive, std::filesystem::path manifest)
      : archive_(std::move(archive)), manifest_(std::move(manifest)) {}

  void walk(const EntryVisitor& visit) const override {
    archive_->walk(visit);
    visit_manifest(visit);
  }
  bool has_random_access() const override { return archive_->has_random_access(); }
  void read_through(const ContentVisitor& visit) const override {
    archive_->read_through(visit);
    visit_manifest([&](const Entry& entry) {
      visit(entry, [manifest = manifest_] { return open_plain_file(manifest); });
    });
  }
  bool has_file(const std::string& path) const override {
    if (path == kManifest) return std::filesystem::is_regular_file(manifest_);
    return archive_->has_file(path);
  }
  std::unique_ptr<ContentFile> open(const std::string& path) const override {
    return path == kManifest ? open_plain_file(manifest_) : archive_->open(path);
  }
  std::string describe(const std::string& path) const override {
    return path == kManifest ? manifest_.string() : archive_->describe(path);
  }

 private:
  void visit_manifest(const EntryVisitor& visit) const {
    PlainTree(manifest_.parent_path()).walk_file(kManifest, visit);
  }

  const std::shared_ptr<const ContentTree> archive_;
  const std::filesystem::path manifest_;
};

// More processors than this do not make memory for more frames.
constexpr unsigned kMaxCachedFrames = 18;

std::vector<BackupTree> open_archives(const std::filesystem::path& data_directory,
                                      const catalogue::BackupInfo& backup,
                                      const OpenOptions& options) {
  const auto cache = std::make_shared<FrameCache>(
      std::min(kMaxCachedFrames, 2 * std::thread::hardware_concurrency() + 2));
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
  for (const catalogue::Tablespace& tablespace : backup.tablespaces) {
    trees.push_back({tablespace.oid, open_tree(tablespace.oid)});
  }
  trees.push_back(
      {0, std::make_shared<ArchivedDataDirectory>(open_tree(0), data_directory / kManifest)});
  return trees;
}

}  // namespace

std::string BackupTree::manifest_prefix() const {
  return is_data_directory() ? std::string() : fmt::format("pg_tblspc/{}/", oid);
}

std::vector<BackupTree> open_backup(const catalogue::Catalogue& catalogue,
                                    const catalogue::BackupInfo& backup,
                                    const OpenOptions& options) {
  // Tar format, "none" included.
  if (backup.compression) {
    return open_archives(catalogue.data_directory(backup.id), backup, options);
  }
  std::vector<BackupTree> trees;
  std::set<std::string> separate_tablespaces;
  for (const catalogue::Tablespace& tablespace : backup.tablespaces) {
    separate_tablespaces.insert(std::to_string(tablespace.oid));
    trees.push_back({tablespace.oid, std::make_shared<PlainTree>(catalogue.tablespace_directory(
                                         backup.id, tablespace.oid))});
  }
  trees.push_back({0, std::make_shared<PlainTree>(catalogue.data_directory(backup.id),
                                                  std::move(separate_tablespaces))});
  return trees;
}

}  // namespace barman::content
