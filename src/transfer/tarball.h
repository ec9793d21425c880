// The tar file of an export as a file: its name, which holds its checksum, its compression, and one
// reading of it. What is inside is for staging.h.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/fd.h"
#include "base/interrupt.h"
#include "base/progress.h"
#include "catalogue/backup_id.h"
#include "compression/algorithm.h"
#include "pipeline/tar_reader.h"

namespace barman::transfer {

// `corrupt`, with the next step: to copy the file anew, unless another one is given.
Error refused_tarball(const std::string& text);
Error refused_tarball(const std::string& text, const std::string& hint);

struct TarballName {
  catalogue::BackupId id;
  // The first digits of the SHA-256 of the file.
  std::string checksum;
};

// "backup-export-main-20261121T010000-20261121T020000-0a1b2c3d.tar.gz" of server "main".
TarballName parse_tarball_name(const std::string& name, const std::string& server_name);

class Tarball {
 public:
  // Opens the file and looks whether it can be a tar archive; throws Barman's texts.
  explicit Tarball(std::filesystem::path path);

  const std::filesystem::path& path() const { return path_; }
  // From its beginning to its end; it may be called again. What is wrong inside (`corrupt`) is told
  // only when the file itself is the one of that checksum. Advances `progress`.
  void read(pipeline::TarVisitor& visitor, const std::string& checksum, const Interrupt& interrupt,
            Progress& progress) const;

 private:
  std::filesystem::path path_;
  std::optional<compression::Algorithm> algorithm_;  // before file_, whose opening finds it
  Fd file_;
};

}  // namespace barman::transfer
