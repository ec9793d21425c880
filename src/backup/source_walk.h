// Goes through a tree of a running cluster on this host: which of its files belong to a backup that
// copies files. Symbolic links are followed, for what they lead to belongs to the backup. Files and
// directories come and go meanwhile.
#pragma once

#include <sys/stat.h>

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

namespace barman::backup {

struct SourceTree {
  std::filesystem::path root;
  // Of paths below root; nothing below a path that is not copied is looked at.
  std::function<bool(std::string_view path)> is_copied;
  // Links in pg_tblspc/ lead to trees of their own.
  bool is_data_directory = false;
};

// Paths are relative to the root, "" is the root itself.
class SourceVisitor {
 public:
  virtual ~SourceVisitor() = default;
  // A directory, before its files, and behind them.
  virtual void enter(const std::string& path, const struct stat& status) = 0;
  virtual void leave() {}
  // A regular file, or a link to one.
  virtual void file(const std::string& path, const struct stat& status) = 0;
  // A link that leads nowhere.
  virtual void dangling_link(const std::string& path) = 0;
  // Asked before each entry; false ends the walk.
  virtual bool goes_on() { return true; }
};

// Throws `not_found` when there is no such root, `conflict` for a link to a directory above itself.
void walk_source(const SourceTree& tree, SourceVisitor& visitor);

}  // namespace barman::backup
