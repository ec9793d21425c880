#include "copy/backup_tree.h"
#include "postgres/backup_manifest.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace barman::copy {
namespace {

constexpr std::size_t kMaxProblems = 5;

// Their content belongs to the old cluster, the directories themselves are needed.
constexpr std::array<std::string_view, 4> kEmptiedDirectories = {"pg_log/", "log/", "pg_xlog/",
                                                                 "pg_wal/"};
// A signal file of a standby that was backed up would make a standby of every restored cluster.
constexpr std::array<std::string_view, 5> kLeftOut = {
    "postmaster.pid", "recovery.conf", "tablespace_map", "standby.signal", "recovery.signal"};

class Scanner {
 public:
  Scanner(stored::ManifestIndex* manifest, const Interrupt& interrupt)
      : manifest_(manifest), interrupt_(interrupt) {}

  void scan(const TreeCopy& tree) {
    // Its files show up while they are copied; until then the manifest tells about them.
    if (!tree.source->is_listed()) {
      has_unread_trees_ = true;
      return;
    }
    tree.source->walk([&](const stored::Entry& entry) { visit(tree, entry); });
  }

  TreeScan finish(const std::vector<TreeCopy>& trees) {
    if (has_unread_trees_) {
      if (manifest_ != nullptr) result_.total_bytes = manifest_->total_bytes();
      return std::move(result_);
    }
    if (!has_control_file_ && manifest_ == nullptr) {
      result_.problems.emplace_back("\"global/pg_control\" is missing");
    }
    if (manifest_ == nullptr || result_.problems.size() >= kMaxProblems) return std::move(result_);
    const auto is_wanted = [&](std::string_view path) {
      // Files of tablespaces are wanted always; the data directory decides on its own.
      return fate_of(trees.back(), path) != EntryFate::leave_out;
    };
    for (const std::string& path :
         manifest_->list_unseen(is_wanted, kMaxProblems - result_.problems.size())) {
      result_.problems.push_back(fmt::format("\"{}\" is missing", path));
    }
    return std::move(result_);
  }

 private:
  void visit(const TreeCopy& tree, const stored::Entry& entry) {
    if (entry.is_directory) {
      interrupt_.throw_if_requested();
      return;
    }
    const std::string listed = tree.manifest_prefix + entry.path;
    const EntryFate fate = fate_of(tree, entry.path);
    const bool is_copied = fate != EntryFate::leave_out;
    if (fate == EntryFate::copy_last) has_control_file_ = true;
    if (manifest_ != nullptr) {
      manifest_->mark_seen(listed);
      const std::optional<stored::ExpectedFile> expected = manifest_->find(listed);
      if (is_copied && expected && expected->size_bytes != entry.size_bytes &&
          result_.problems.size() < kMaxProblems) {
        result_.problems.push_back(fmt::format("\"{}\" has {} bytes instead of {}", listed,
                                               entry.size_bytes, expected->size_bytes));
      }
    }
    if (!is_copied) return;
    ++result_.file_count;
    result_.total_bytes += entry.size_bytes;
  }

  stored::ManifestIndex* const manifest_;
  const Interrupt& interrupt_;
  TreeScan result_;
  bool has_control_file_ = false;
  bool has_unread_trees_ = false;
};

}  // namespace

EntryFate fate_of(const TreeCopy& tree, std::string_view path) {
  if (!tree.is_data_directory) return EntryFate::copy;
  if (path == "global/pg_control") return EntryFate::copy_last;
  const bool is_left_out =
      std::find(kLeftOut.begin(), kLeftOut.end(), path) != kLeftOut.end() ||
      std::any_of(kEmptiedDirectories.begin(), kEmptiedDirectories.end(),
                  [&](std::string_view directory) { return path.starts_with(directory); });
  return is_left_out ? EntryFate::leave_out : EntryFate::copy;
}

std::string restored_name(const TreeCopy& tree, const std::string& path) {
  return tree.is_data_directory && path == postgres::kBackupManifest ? tree.manifest_name : path;
}

TreeScan scan_trees(const std::vector<TreeCopy>& trees, stored::ManifestIndex* manifest,
                    const Interrupt& interrupt) {
  Scanner scanner(manifest, interrupt);
  for (const TreeCopy& tree : trees) scanner.scan(tree);
  return scanner.finish(trees);
}

TreeScan scan_member(const stored::ChainMember& member, const Interrupt& interrupt) {
  std::vector<TreeCopy> trees;
  for (const stored::BackupTree& tree : member.trees) {
    trees.push_back({.source = tree.content,
                     .manifest_prefix = tree.manifest_prefix(),
                     .is_data_directory = tree.is_data_directory()});
  }
  return scan_trees(trees, member.manifest.get(), interrupt);
}

}  // namespace barman::copy
