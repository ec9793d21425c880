// Unpacks an exported backup: the small files into memory, the rest below a staging directory.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "pipeline/tar_reader.h"
#include "stored/backup_writer.h"

namespace barman::transfer {

class Staging final : public pipeline::TarVisitor {
 public:
  // `root` exists and is empty; `tree` writes below it. "" where nothing lies on this host.
  Staging(std::filesystem::path root, stored::TreeSink& tree);

  // Throws `corrupt` for members that an export cannot have: links elsewhere than in pg_tblspc, WAL
  // files in the wrong place.
  void begin_member(const pipeline::TarMember& member) override;
  void write(Bytes data) override;
  void end_member() override;
  // All files were handed over.
  void finish() { tree_.finish(); }

  // identity.json, backup.info, xlog.db; nullopt when the archive had none.
  std::optional<std::string> find_text(const std::string& name) const;
  bool has_backup() const { return has_backup_; }
  bool has_wals() const { return has_wals_; }

 private:
  enum class Place { tree, text, nowhere };
  Place place_of(const pipeline::TarMember& member) const;
  void require_wal_place(const pipeline::TarMember& member);

  const std::filesystem::path root_;
  stored::TreeSink& tree_;
  Place place_ = Place::nowhere;
  std::string* text_ = nullptr;
  std::map<std::string, std::string> texts_;
  bool has_backup_ = false;
  bool has_wals_ = false;
};

}  // namespace barman::transfer
