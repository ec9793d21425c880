// Writes the members of an archive as files below a root directory.
//
// Paths are opened component by component without following symbolic links, so nothing is written
// outside of the root, whatever the archive says. One file is open at a time; a finished one goes
// to the FileSyncer. finish() hands over the directories too; everything is durable when the
// FileSyncer's wait() returns. Permissions are the archive's, but the owner always keeps access;
// existing directories are used, existing files overwritten.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <set>
#include <string>

#include "base/fd.h"
#include "pipeline/file_syncer.h"
#include "pipeline/tar_reader.h"

namespace barman::pipeline {

struct TreeWriterOptions {
  // The target to be written for a symbolic link of the archive, nullopt for none at all. Without
  // the function every link is refused: what an archive links to is a path that somebody else
  // tells.
  std::function<std::optional<std::string>(const TarMember&)> map_link;
};

class TreeWriter final : public TarVisitor {
 public:
  // `root` must exist.
  TreeWriter(std::filesystem::path root, FileSyncer& syncer, TreeWriterOptions options = {});

  void begin_member(const TarMember& member) override;
  void write(Bytes data) override;
  void end_member() override;
  void finish();

 private:
  // The open directory of `parent` (relative, "" = root). Stays open until another one is needed.
  const Fd& open_parent(std::string_view parent);
  void create_directory(const Fd& parent, const std::string& name, const TarMember& member);
  void create_symlink(const Fd& parent, const std::string& name, const TarMember& member);

  const std::filesystem::path root_;
  FileSyncer& syncer_;
  TreeWriterOptions options_;
  Fd root_fd_;
  Fd parent_fd_;
  std::string parent_path_;
  std::set<std::string, std::less<>> touched_directories_;

  Fd file_;
  std::filesystem::path path_;  // of the current member
  std::uint64_t written_ = 0;
  std::uint64_t flushed_ = 0;
};

}  // namespace barman::pipeline
