// An encrypted chain as encrypted archives, and one in a bucket as archives there. Blocks of a file
// come from streams that have their files in different orders, and nothing may lie on this host in
// clear. Therefore the incremental backups, which are small, are read into scratch files
// (stored/scratch_tree.h); the full one is read once, from its beginning to its end, and each of
// its files goes into the new archive while it passes, with the blocks that newer backups have of
// it. Files that it does not have follow.
#include <algorithm>
#include <filesystem>
#include <map>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/error.h"
#include "base/worker_pool.h"
#include "catalogue/cloud_catalogue.h"
#include "consolidate/chain_merge.h"
#include "copy/combined_manifest.h"
#include "stored/archive_file.h"
#include "stored/backup_store.h"
#include "stored/checked_reader.h"
#include "stored/combined_tree.h"
#include "stored/scratch_tree.h"
#include "stored/tree_filler.h"

namespace barman::consolidate {
namespace fs = std::filesystem;

using catalogue::BackupInfo;
using stored::ContentFile;
using stored::ContentOpener;
using stored::Entry;

namespace {

// The full backup while it is read through: it has the one file that is passing.
class PassingTree final : public stored::ContentTree {
 public:
  explicit PassingTree(std::shared_ptr<const stored::ContentTree> source)
      : source_(std::move(source)) {}

  // That file, as long as this lives; then nobody reads it any more.
  class Showing {
   public:
    Showing(PassingTree& tree, std::string path, ContentOpener open) : tree_(tree) {
      tree_.path_ = std::move(path);
      tree_.open_ = std::move(open);
    }
    Showing(const Showing&) = delete;
    Showing& operator=(const Showing&) = delete;
    ~Showing() { tree_.open_ = {}; }

   private:
    PassingTree& tree_;
  };

  void walk(const stored::EntryVisitor&) const override {
    throw Error(ErrorKind::internal, "a backup that is passing has no list of files");
  }
  bool has_file(const std::string& path) const override { return open_ && path == path_; }
  std::unique_ptr<ContentFile> open(const std::string&) const override { return open_(); }
  std::string describe(const std::string& path) const override { return source_->describe(path); }

 private:
  const std::shared_ptr<const stored::ContentTree> source_;
  std::string path_;
  ContentOpener open_;
};

// The same tree of all backups of the chain, on its way into one archive.
class TreePass {
 public:
  TreePass(const MergeSettings& settings, const stored::BackupTree& newest,
           const fs::path& scratch_directory, copy::CombinedManifest& combined)
      : settings_(settings),
        prefix_(newest.manifest_prefix()),
        manifest_(settings.chain.members().front().manifest),
        combined_(combined) {
    const std::vector<stored::ChainMember>& members = settings.chain.members();
    std::vector<stored::ChainLink> links;
    for (const stored::ChainMember& member : members) {
      const auto tree =
          std::find_if(member.trees.begin(), member.trees.end(),
                       [&](const stored::BackupTree& other) { return other.oid == newest.oid; });
      if (tree == member.trees.end()) {
        // A tablespace that did not exist yet.
        links.push_back({});
      } else if (&member == &members.back()) {
        full_ = tree->content;
        passing_ = std::make_shared<PassingTree>(full_);
        links.push_back({passing_, member.manifest});
      } else {
        settings.progress.set_item(fmt::format("reading {}", member.info.id.value));
        links.push_back({random_access(tree->content, scratch_directory), member.manifest});
      }
    }
    newest_ = links.front().tree;
    tree_.emplace(std::move(links), prefix_);
  }

  void write(stored::TreeFiller& archive) {
    settings_.progress.set_item(prefix_.empty() ? "base" : prefix_);
    archive_ = &archive;
    newest_->walk([&](const Entry& entry) {
      if (manifest_ && !entry.is_directory) manifest_->mark_seen(prefix_ + entry.path);
    });
    tree_->walk([&](const Entry& entry) {
      if (!entry.is_directory) {
        pending_.insert_or_assign(entry.path, entry);
      } else if (!entry.path.empty()) {
        archive.add_directory(entry);
      }
    });
    WorkerPool worker(1);  // files are read in another thread than the one that visits them
    if (full_) pass_full(worker);
    for (const auto& [path, entry] : pending_) {
      worker.submit([this, &file = entry] { write_file(file); });
    }
    worker.wait();
  }

 private:
  std::shared_ptr<const stored::ContentTree> random_access(
      const std::shared_ptr<const stored::ContentTree>& tree, const fs::path& directory) const {
    if (tree->has_random_access()) return tree;
    return std::make_shared<stored::ScratchTree>(tree, directory, settings_.interrupt);
  }

  void pass_full(WorkerPool& worker) {
    full_->read_through([&](const Entry& entry, const ContentOpener& open) {
      settings_.interrupt.throw_if_requested();
      if (worker.has_failed()) worker.wait();
      if (entry.is_directory) return;
      const auto found = pending_.find(entry.path);
      // What the newest backup has as a whole is not needed from this one.
      if (found == pending_.end() || !found->second.is_derived) return;
      worker.submit([this, wanted = std::move(found->second), open] {
        const PassingTree::Showing showing(*passing_, wanted.path, open);
        write_file(wanted);
      });
      pending_.erase(found);
    });
  }

  void write_file(const Entry& entry) {
    settings_.interrupt.throw_if_requested();
    const std::string name = tree_->describe(entry.path);
    const std::string listed = prefix_ + entry.path;
    stored::CheckedReader file(
        tree_->open(entry.path), name,
        manifest_ && !entry.is_derived ? manifest_->find(listed) : std::nullopt);
    const std::uint32_t crc = archive_->add_file(entry, file, name);
    file.finish();
    if (entry.is_derived) combined_.add(listed, entry.size_bytes, crc);
    settings_.progress.advance(entry.size_bytes);
  }

  const MergeSettings& settings_;
  const std::string prefix_;
  const std::shared_ptr<stored::ManifestIndex> manifest_;
  copy::CombinedManifest& combined_;
  std::shared_ptr<const stored::ContentTree> newest_;
  std::shared_ptr<const stored::ContentTree> full_;
  std::shared_ptr<PassingTree> passing_;
  std::optional<stored::CombinedTree> tree_;
  stored::TreeFiller* archive_ = nullptr;
  // The files that are not in the archive yet.
  std::map<std::string, Entry, std::less<>> pending_;
};

class MergeOfArchives final : public ChainMerge {
 public:
  explicit MergeOfArchives(const MergeSettings& settings) : settings_(settings) {}

  void check() override {
    const bool is_local = settings_.catalogue.locations().has_local_backups;
    const BackupInfo& backup = settings_.chain.backup();
    if ((is_local || settings_.bucket_form.cipher) && !settings_.cipher.can_encrypt()) {
      throw Error(ErrorKind::config,
                  fmt::format("backup '{}' builds on encrypted ones, and no 'encryption_key_id' is "
                              "configured with which the full backup could be encrypted",
                              backup.id.value),
                  "Set encryption_key_id to the key with which backups are encrypted.");
    }
    // What the incremental ones need of this host is seen when they are read.
    if (!is_local) return;
    // The result is not larger than all backups of the chain together.
    std::uint64_t needed = 0;
    for (const stored::ChainMember& member : settings_.chain.members()) {
      needed += static_cast<std::uint64_t>(
          member.info.deduplicated_size.value_or(member.info.size.value_or(0)));
    }
    require_space(settings_.catalogue, needed);
  }

  void write(const BackupInfo& target) override {
    const stored::BackupChain& chain = settings_.chain;
    settings_.progress.begin("consolidate",
                             static_cast<std::uint64_t>(chain.backup().cluster_size.value_or(0)));
    const stored::BackupStore store(settings_.catalogue);
    const std::unique_ptr<stored::BackupWriter> writer = store.create(target.id, options());
    const fs::path scratch_directory = settings_.catalogue.locations().has_local_backups
                                           ? store.directories(target.id).data_directory
                                           : fs::temp_directory_path();
    copy::CombinedManifest combined;
    for (const stored::BackupTree& tree : chain.members().front().trees) {
      TreePass pass(settings_, tree, scratch_directory, combined);
      stored::TreeSink& sink = writer->begin_tree({.oid = tree.oid, .in_place_location = {}});
      stored::TreeFiller filler(sink);
      pass.write(filler);
      sink.finish();
    }
    refuse_missing_files(chain);
    settings_.progress.end();
    combined.write(store.manifest_path(chain.backup().id), *writer->put_manifest());
    writer->make_durable();
  }

 private:
  // Compressed as the newest backup.
  stored::WriterOptions options() const {
    if (const auto bucket = settings_.catalogue.bucket()) return bucket_options(*bucket);
    const stored::BackupStore store(settings_.catalogue);
    const std::optional<stored::ArchiveFile> newest =
        stored::find_archive(store.directories(settings_.chain.backup().id).data_directory, 0);
    stored::WriterOptions options = {.form = catalogue::StoredForm::tar};
    options.coding.algorithm = newest ? newest->algorithm : std::nullopt;
    if (options.coding.algorithm) options.coding.place = stored::CompressionPlace::client;
    options.coding.level = settings_.compression_level;
    options.coding.worker_count = settings_.worker_count;
    options.coding.cipher = settings_.cipher;
    return options;
  }

  stored::WriterOptions bucket_options(const catalogue::CloudCatalogue& bucket) const {
    stored::WriterOptions options;
    options.bucket_form = settings_.bucket_form;
    const auto archives = bucket.list_objects(settings_.chain.backup().id).archives;
    const auto compression = archives.empty() ? std::nullopt : archives.front().name.compression;
    // The level belongs to the algorithm that is configured.
    if (compression != options.bucket_form.compression)
      options.bucket_form.compression_level.reset();
    options.bucket_form.compression = compression;
    return options;
  }

  const MergeSettings settings_;
};

}  // namespace

std::unique_ptr<ChainMerge> make_merge_of_archives(const MergeSettings& settings) {
  return std::make_unique<MergeOfArchives>(settings);
}

}  // namespace barman::consolidate
