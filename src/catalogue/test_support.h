// Directories and backups for the unit tests of this folder.
#pragma once

#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "base/error.h"
#include "catalogue/backup_info.h"
#include "catalogue/catalogue.h"

namespace barman::catalogue {

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "catalogue-test-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw_errno("cannot create \"" + name + "\"");
    path_ = name;
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline void put_file(const std::filesystem::path& path, std::string_view content) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << content;
}

inline std::string get_file(const std::filesystem::path& path) {
  std::ostringstream content;
  content << std::ifstream(path, std::ios::binary).rdbuf();
  return content.str();
}

// A finished backup of method postgres that needs the WAL from begin to end.
inline BackupInfo make_backup(std::string id, std::string begin_wal, std::string end_wal,
                              BackupStatus status = BackupStatus::done) {
  BackupInfo info;
  info.id = {std::move(id)};
  info.status = status;
  info.mode = "postgres";
  if (!begin_wal.empty()) info.begin_wal = std::move(begin_wal);
  if (!end_wal.empty()) info.end_wal = std::move(end_wal);
  info.timeline = info.wal_timeline();
  return info;
}

inline BackupInfo make_incremental(std::string id, std::string parent,
                                   BackupStatus status = BackupStatus::done) {
  BackupInfo info = make_backup(std::move(id), "", "", status);
  info.parent_backup_id = BackupId{std::move(parent)};
  return info;
}

}  // namespace barman::catalogue
