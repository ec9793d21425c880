#include "stored/combined_tree.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/error.h"
#include "postgres/backup_label.h"
#include "postgres/backup_manifest.h"
#include "stored/incremental_file.h"
#include "stored/reconstructed_file.h"

namespace barman::stored {
namespace {

constexpr std::string_view kCombinedLabel = "backup_label";

}  // namespace

CombinedTree::CombinedTree(std::vector<ChainLink> links, std::string manifest_prefix)
    : links_(std::move(links)), prefix_(std::move(manifest_prefix)) {}

std::string CombinedTree::complete_label() const {
  return postgres::without_incremental_lines(read_content(newest(), std::string(kCombinedLabel)));
}

std::uint32_t CombinedTree::block_count_of(std::size_t number, const std::string& path) const {
  {
    const std::lock_guard lock(mutex_);
    if (number < block_counts_.size()) return block_counts_[number];
  }
  const std::unique_ptr<ContentFile> file = newest().open(path);
  const std::uint32_t count = read_incremental_header(*file, newest().describe(path)).block_count();
  const std::lock_guard lock(mutex_);
  if (number == block_counts_.size()) block_counts_.push_back(count);
  return count;
}

void CombinedTree::walk(const EntryVisitor& visit) const {
  std::size_t number = 0;
  newest().walk([&](const Entry& entry) {
    if (entry.is_directory) return visit(entry);
    if (is_data_directory() && entry.path == postgres::kBackupManifest) return;
    Entry derived = entry;
    derived.is_derived = true;
    if (is_data_directory() && entry.path == kCombinedLabel) {
      derived.size_bytes = complete_label().size();
      return visit(derived);
    }
    const std::optional<std::string> complete =
        holds_relations(prefix_, entry.path) ? complete_name(entry.path) : std::nullopt;
    if (!complete) return visit(entry);
    derived.path = *complete;
    derived.size_bytes = std::uint64_t{block_count_of(number++, entry.path)} * kBlockSize;
    visit(derived);
  });
}

bool CombinedTree::has_file(const std::string& path) const {
  if (is_data_directory() && path == postgres::kBackupManifest) return false;
  return newest().has_file(path) ||
         (holds_relations(prefix_, path) && newest().has_file(incremental_name(path)));
}

std::string CombinedTree::describe(const std::string& path) const {
  return newest().describe(path);
}

std::unique_ptr<ContentFile> CombinedTree::open(const std::string& path) const {
  if (is_data_directory() && path == kCombinedLabel) return make_text_file(complete_label());
  if (holds_relations(prefix_, path) && newest().has_file(incremental_name(path)))
    return reconstruct(path);
  return newest().open(path);
}

std::unique_ptr<ContentFile> CombinedTree::reconstruct(const std::string& path) const {
  std::vector<ReconstructionSource> sources;
  for (const ChainLink& link : links_) {
    if (link.tree == nullptr) break;
    const bool is_complete = !sources.empty() && link.tree->has_file(path);
    const std::string name = is_complete ? path : incremental_name(path);
    if (!is_complete && !sources.empty() && !link.tree->has_file(name)) break;
    ReconstructionSource source{
        .file = std::make_unique<CheckedReader>(
            link.tree->open(name), link.tree->describe(name),
            link.manifest ? link.manifest->find(prefix_ + name) : std::nullopt)};
    if (!is_complete) source.header = read_incremental_header(*source.file, source.file->name());
    sources.push_back(std::move(source));
    if (is_complete) return std::make_unique<ReconstructedFile>(std::move(sources));
  }
  throw Error(
      ErrorKind::corrupt,
      fmt::format("\"{}\" cannot be completed: no earlier backup of the chain has the whole "
                  "file \"{}{}\"",
                  sources.front().file->name(), prefix_, path),
      "Choose another backup, or put the file in place.");
}

}  // namespace barman::stored
