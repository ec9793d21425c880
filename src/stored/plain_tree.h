// A tree that lies in the catalogue as a directory.
#pragma once

#include <filesystem>
#include <set>

#include "stored/content_tree.h"

namespace barman::stored {

class PlainTree final : public ContentTree {
 public:
  // `separate_tablespaces`: names below pg_tblspc/ that are trees of their own; the links to them
  // are passed over.
  explicit PlainTree(std::filesystem::path root, std::set<std::string> separate_tablespaces = {})
      : root_(std::move(root)), separate_tablespaces_(std::move(separate_tablespaces)) {}

  // Links that are not passed over, and special files, throw `corrupt`.
  void walk(const EntryVisitor& visit) const override;
  // One file of it, unless it is missing.
  void walk_file(const std::string& path, const EntryVisitor& visit) const;
  bool has_file(const std::string& path) const override;
  std::unique_ptr<ContentFile> open(const std::string& path) const override;
  std::string describe(const std::string& path) const override;

 private:
  class Walker;

  const std::filesystem::path root_;
  const std::set<std::string> separate_tablespaces_;
};

// One file of the file system; links are not followed. Throws SystemError naming the path.
std::unique_ptr<ContentFile> open_plain_file(const std::filesystem::path& path);

}  // namespace barman::stored
