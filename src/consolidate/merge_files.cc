#include <sys/stat.h>

#include <filesystem>
#include <vector>

#include <fmt/format.h>

#include "base/durable.h"
#include "base/error.h"
#include "base/text.h"
#include "consolidate/chain_merge.h"
#include "copy/backup_tree.h"
#include "copy/combined_manifest.h"
#include "copy/copy_task.h"
#include "copy/file_copier.h"
#include "copy/passed_chain.h"
#include "stored/backup_store.h"

namespace barman::consolidate {
namespace fs = std::filesystem;

using catalogue::BackupInfo;

namespace {

constexpr mode_t kDirectoryMode = 0700;

class MergeOfFiles final : public ChainMerge {
 public:
  explicit MergeOfFiles(const MergeSettings& settings)
      : catalogue_(settings.catalogue),
        chain_(settings.chain),
        interrupt_(settings.interrupt),
        progress_(settings.progress),
        trees_(chain_.complete_trees()),
        worker_count_(settings.worker_count) {}

  // All files of all links are there, and the result fits.
  void check() override {
    for (const stored::ChainMember& member : chain_.members()) {
      const copy::TreeScan scan = copy::scan_member(member, interrupt_);
      if (scan.problems.empty()) continue;
      throw Error(ErrorKind::corrupt,
                  fmt::format("backup '{}', which it is put together from, is damaged: {}",
                              member.info.id.value, join(scan.problems, ", ")),
                  "Put intact files in place, or take a new full backup.");
    }
    count_bytes();
    require_space(catalogue_, total_bytes_);
  }

  void write(const BackupInfo& target) override {
    progress_.begin("consolidate", total_bytes_);
    copy::FileCopier copier({.worker_count = worker_count_}, progress_, interrupt_);
    const stored::BackupStore store(catalogue_);
    stored::WriterOptions options;
    for (const stored::BackupTree& tree : trees_) {
      if (!tree.is_data_directory()) options.tablespaces.push_back(tree.oid);
    }
    // The copier, which can share blocks with the chain, puts the files into the directories.
    const std::unique_ptr<stored::BackupWriter> writer = store.create(target.id, options);
    directories_ = store.directories(target.id);
    copier.add_root(catalogue_.base_directory(target.id));
    if (!chain_.has_random_access()) {
      const std::vector<stored::ChainMember>& members = chain_.members();
      passed_.emplace(std::vector(members.begin() + 1, members.end()),
                      chain_.backup().backup_label.value_or(""), worker_count_, progress_,
                      interrupt_);
    }
    for (const stored::BackupTree& tree : trees_) copy_tree(tree, copier);
    if (passed_) {
      refuse_missing_files(chain_);
      passed_->read_older(manifest_);
    }
    copier.add_directory(catalogue_.base_directory(target.id));
    copier.wait();
    progress_.end();
    manifest_.write(store.manifest_path(chain_.backup().id), *writer->put_manifest());
    writer->make_durable();
  }

 private:
  // What files without random access will have together is known only when all were read: the
  // cluster's size at the time of the backup is near it.
  void count_bytes() {
    if (!chain_.has_random_access()) {
      total_bytes_ = static_cast<std::uint64_t>(chain_.backup().cluster_size.value_or(0));
      return;
    }
    for (const stored::BackupTree& tree : trees_) {
      tree.content->walk([&](const stored::Entry& entry) { total_bytes_ += entry.size_bytes; });
    }
  }

  void copy_tree(const stored::BackupTree& tree, copy::FileCopier& copier) {
    const fs::path root = tree.is_data_directory() ? directories_.data_directory
                                                   : directories_.tablespace_directory(tree.oid);
    progress_.set_item(root.filename().string());
    const copy::TaskOrigin origin = origin_of(tree);
    const copy::PassedChain::Place place{root, tree.is_data_directory()};
    tree.content->read_through([&](const stored::Entry& entry, const stored::ContentOpener& open) {
      const fs::path path = root / entry.path;
      if (passed_ && origin.manifest != nullptr && !entry.is_directory) {
        chain_.members().front().manifest->mark_seen(origin.manifest_prefix + entry.path);
      }
      if (entry.is_directory) {
        make_directories(path, kDirectoryMode);
        if (::chmod(path.c_str(), entry.mode | kDirectoryMode) != 0) {
          throw_errno(fmt::format("cannot set permissions of \"{}\"", path.string()));
        }
        copier.add_directory(path);
      } else if (!passed_ || !passed_->take(origin, place, entry, open, copier)) {
        copier.submit(copy::make_copy_task(origin, entry, open, path));
      }
    });
  }

  copy::TaskOrigin origin_of(const stored::BackupTree& tree) {
    return {.tree = *tree.content,
            .manifest_prefix = tree.manifest_prefix(),
            .manifest = chain_.members().front().manifest.get(),
            .combined = manifest_};
  }

  const catalogue::Catalogue& catalogue_;
  const stored::BackupChain& chain_;
  const Interrupt& interrupt_;
  Progress& progress_;
  const std::vector<stored::BackupTree> trees_;
  const std::size_t worker_count_;
  copy::CombinedManifest manifest_;
  std::uint64_t total_bytes_ = 0;
  stored::BackupDirectories directories_;    // of the result
  std::optional<copy::PassedChain> passed_;  // after what its threads use
};

}  // namespace

std::unique_ptr<ChainMerge> make_merge_of_files(const MergeSettings& settings) {
  return std::make_unique<MergeOfFiles>(settings);
}

}  // namespace barman::consolidate
