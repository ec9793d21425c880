// Files of a cluster that are copied one by one when its trees are there, whatever copies them:
// configuration from outside of the data directory, and the label of an exclusive backup.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "backup/copied_cluster.h"
#include "backup/copy_steps.h"
#include "backup/outside_files.h"

namespace barman::backup {

class SingleFiles {
 public:
  // False when there is no such file.
  using Copy =
      std::function<bool(const std::string& source, const std::filesystem::path& destination)>;

  // `data_directory` is that of the backup. The steps must live longer.
  SingleFiles(const CopySteps& steps, std::filesystem::path data_directory, Copy copy)
      : steps_(steps), data_directory_(std::move(data_directory)), copy_(std::move(copy)) {}

  // One step each, from `first_step` on. Throws `not_found`, but for what PostgreSQL starts
  // without.
  std::vector<CopiedItem> copy_outside_files(const std::vector<OutsideFile>& files,
                                             std::size_t first_step) const;
  // Throws `not_found`: the exclusive backup has ended.
  void copy_label(const std::string& source_directory, std::size_t step) const;

 private:
  const CopySteps& steps_;
  const std::filesystem::path data_directory_;
  const Copy copy_;
};

}  // namespace barman::backup
