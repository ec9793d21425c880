// The small files of a data directory that is on another host: they wait here, in a directory that
// lives in memory, while the configuration is reviewed and the parts of the backup are compared,
// and are sent together. At most 64 MiB; what is beyond goes there at once, and is not reviewed.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "base/interrupt.h"
#include "base/progress.h"
#include "base/scratch_directory.h"
#include "copy/copy_task.h"
#include "pipeline/tar_writer.h"

namespace barman::restore {

class SmallFiles {
 public:
  // Nothing of an encrypted backup may lie on a disk in clear: `is_secret` throws `io` where no
  // directory in memory is to be had. `needed`: what stays here in any case.
  SmallFiles(bool is_secret, std::vector<std::string> needed);

  const std::filesystem::path& directory() const { return directory_.path(); }

  // Whether a file of the data directory is of those that stay here: outside of PostgreSQL's own
  // directories, or something that may be included as configuration.
  static bool may_want(const std::string& name, std::uint64_t size_bytes);
  // Whether this one does: one of these while there is room, what is needed here, and pg_control.
  // Counts it.
  bool wants(const std::string& name, std::uint64_t size_bytes);
  // A directory that has been sent already.
  void note_sent_directory(const std::string& name) { sent_directories_.insert(name); }
  // Verified as everything else.
  void put(const std::string& name, const copy::CopyTask& task, Progress& progress,
           const Interrupt& interrupt) const;
  // All that is here by now.
  void send(pipeline::TarWriter& archive) const;

 private:
  void send_file(const std::filesystem::path& path, const std::string& name,
                 pipeline::TarWriter& archive) const;

  const ScratchDirectory directory_;
  const std::vector<std::string> needed_;
  std::uint64_t total_bytes_ = 0;
  std::set<std::string> sent_directories_;
};

}  // namespace barman::restore
