// Writes the members of an archive as files below a root directory.
//
// Paths are opened component by component without following symbolic links, so nothing is written
// outside of the root, whatever the archive says. Directories and links are made at once, files by
// the FileWriters. finish() hands over the directories too; everything is durable when the
// FileWriters' wait() returns. Permissions are the archive's, but the owner always keeps access;
// existing directories are used, existing files replaced.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "base/fd.h"
#include "pipeline/file_writers.h"
#include "pipeline/tar_reader.h"

namespace barman::pipeline {

struct TreeWriterOptions {
  // The target to be written for a symbolic link of the archive, nullopt for none at all. Without
  // the function every link is refused: what an archive links to is a path that somebody else
  // tells.
  std::function<std::optional<std::string>(const TarMember&)> map_link;
  // Files get the times of the archive: who has them has the content.
  bool keeps_times = false;
  // Directories that the archive has not listed are made: it may be one of several of a tree.
  bool makes_parents = false;
};

class TreeWriter final : public TarVisitor {
 public:
  // `root` must exist; `writers` live longer.
  TreeWriter(std::filesystem::path root, FileWriters& writers, TreeWriterOptions options = {});

  void begin_member(const TarMember& member) override;
  void write(Bytes data) override;
  void end_member() override;
  void finish();

 private:
  using Directory = std::shared_ptr<const Fd>;

  // The open directory of `parent` (relative, "" = root).
  const Directory& open_parent(std::string_view parent);
  void create_directory(const Fd& parent, const std::string& name, const TarMember& member);
  void create_symlink(const Fd& parent, const std::string& name, const TarMember& member);

  const std::filesystem::path root_;
  FileWriters& writers_;
  TreeWriterOptions options_;
  const Directory root_directory_;
  // The last one that was needed.
  Directory parent_directory_;
  std::string parent_path_;
  std::set<std::string, std::less<>> touched_directories_;

  std::filesystem::path path_;  // of the current member
  bool is_file_ = false;
};

}  // namespace barman::pipeline
