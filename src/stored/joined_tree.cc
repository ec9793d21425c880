#include "stored/joined_tree.h"

#include <algorithm>
#include <map>
#include <utility>

#include "stored/path_table.h"

namespace barman::stored {
namespace {

constexpr mode_t kMadeDirectoryMode = 0700;

}  // namespace

JoinedTree::JoinedTree(std::vector<std::shared_ptr<const ArchiveTree>> archives)
    : archives_(std::move(archives)) {
  if (archives_.size() < 2) return;
  for (std::size_t i = 0; i < archives_.size(); ++i) {
    archives_[i]->walk([&](const Entry& entry) {
      if (entry.is_directory) return;
      holders_.emplace_back(hash_of(entry.path), static_cast<std::uint32_t>(~i));
    });
  }
  std::ranges::sort(holders_);
}

void JoinedTree::walk(const EntryVisitor& visit) const {
  // What the archives say of directories counts, wherever they say it.
  std::map<std::string, Entry> directories;
  const auto need = [&](const std::string& path) {
    for (std::size_t slash = path.find('/'); slash != std::string::npos;
         slash = path.find('/', slash + 1)) {
      const std::string parent = path.substr(0, slash);
      directories.try_emplace(
          parent, Entry{.path = parent, .is_directory = true, .mode = kMadeDirectoryMode});
    }
  };
  bool has_root = false;
  for (const auto& archive : archives_) {
    archive->walk([&](const Entry& entry) {
      need(entry.path);
      if (!entry.is_directory) return;
      if (!entry.path.empty()) return void(directories.insert_or_assign(entry.path, entry));
      if (!std::exchange(has_root, true)) visit(entry);
    });
  }
  // By their names: parents come first.
  for (const auto& [path, entry] : directories) visit(entry);
  for (const auto& archive : archives_) {
    archive->walk([&](const Entry& entry) {
      if (!entry.is_directory && &holder_of(entry.path) == archive.get()) visit(entry);
    });
  }
}

const ArchiveTree& JoinedTree::holder_of(const std::string& path) const {
  const std::uint64_t hash = hash_of(path);
  const auto found = std::ranges::lower_bound(holders_, std::pair(hash, std::uint32_t{0}));
  if (found == holders_.end() || found->first != hash) return *archives_.front();
  return *archives_[static_cast<std::uint32_t>(~found->second)];
}

bool JoinedTree::has_file(const std::string& path) const { return holder_of(path).has_file(path); }

std::unique_ptr<ContentFile> JoinedTree::open(const std::string& path) const {
  return holder_of(path).open(path);
}

std::string JoinedTree::describe(const std::string& path) const {
  return holder_of(path).describe(path);
}

}  // namespace barman::stored
