#include "content/combined_tree.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/error.h"
#include "content/incremental_file.h"
#include "content/reconstructed_file.h"
#include "postgres/backup_label.h"

namespace barman::content {
namespace {

constexpr std::string_view kManifest = "backup_manifest";
constexpr std::string_view kLabel = "backup_label";

class TextFile final : public ContentFile {
 public:
  explicit TextFile(std::string text) : text_(std::move(text)) {}
  std::size_t read_at(std::uint64_t offset, MutableBytes buffer) override {
    if (offset >= text_.size()) return 0;
    const Bytes rest = as_bytes(text_).subspan(static_cast<std::size_t>(offset));
    const std::size_t size = std::min(rest.size(), buffer.size());
    std::copy_n(rest.begin(), size, buffer.begin());
    return size;
  }
  std::uint64_t size_bytes() const override { return text_.size(); }

 private:
  const std::string text_;
};

}  // namespace

CombinedTree::CombinedTree(std::vector<ChainLink> links, std::string manifest_prefix)
    : links_(std::move(links)), prefix_(std::move(manifest_prefix)) {}

bool CombinedTree::holds_relations(const std::string& path) const {
  return !is_data_directory() || path.starts_with("base/") || path.starts_with("global/") ||
         path.starts_with("pg_tblspc/");
}

std::string CombinedTree::complete_label() const {
  return postgres::without_incremental_lines(read_content(newest(), std::string(kLabel)));
}

void CombinedTree::walk(const EntryVisitor& visit) const {
  newest().walk([&](const Entry& entry) {
    if (entry.is_directory) return visit(entry);
    if (is_data_directory() && entry.path == kManifest) return;
    Entry derived = entry;
    derived.is_derived = true;
    if (is_data_directory() && entry.path == kLabel) {
      derived.size_bytes = complete_label().size();
      return visit(derived);
    }
    const std::optional<std::string> complete =
        holds_relations(entry.path) ? complete_name(entry.path) : std::nullopt;
    if (!complete) return visit(entry);
    const std::unique_ptr<ContentFile> file = newest().open(entry.path);
    derived.path = *complete;
    derived.size_bytes =
        std::uint64_t{read_incremental_header(*file, newest().describe(entry.path)).block_count()} *
        kBlockSize;
    visit(derived);
  });
}

bool CombinedTree::has_file(const std::string& path) const {
  if (is_data_directory() && path == kManifest) return false;
  return newest().has_file(path) ||
         (holds_relations(path) && newest().has_file(incremental_name(path)));
}

std::string CombinedTree::describe(const std::string& path) const {
  return newest().describe(path);
}

std::unique_ptr<ContentFile> CombinedTree::open(const std::string& path) const {
  if (is_data_directory() && path == kLabel) return std::make_unique<TextFile>(complete_label());
  if (holds_relations(path) && newest().has_file(incremental_name(path))) return reconstruct(path);
  return newest().open(path);
}

std::unique_ptr<ContentFile> CombinedTree::reconstruct(const std::string& path) const {
  std::vector<ReconstructionSource> sources;
  for (const ChainLink& link : links_) {
    if (link.tree == nullptr) break;
    const bool is_complete = !sources.empty() && link.tree->has_file(path);
    const std::string name = is_complete ? path : incremental_name(path);
    if (!is_complete && !sources.empty() && !link.tree->has_file(name)) break;
    ReconstructionSource source{.file = link.tree->open(name), .name = link.tree->describe(name)};
    if (link.manifest) source.expected = link.manifest->find(prefix_ + name);
    if (!is_complete) source.header = read_incremental_header(*source.file, source.name);
    sources.push_back(std::move(source));
    if (is_complete) return std::make_unique<ReconstructedFile>(std::move(sources));
  }
  throw Error(
      ErrorKind::corrupt,
      fmt::format("\"{}\" cannot be completed: no earlier backup of the chain has the whole "
                  "file \"{}{}\"",
                  sources.front().name, prefix_, path),
      "Choose another backup, or put the file in place.");
}

}  // namespace barman::content
