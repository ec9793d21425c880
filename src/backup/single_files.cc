#include "backup/single_files.h"

#include <chrono>

#include <fmt/format.h>

#include "base/error.h"

namespace barman::backup {

std::vector<CopiedItem> SingleFiles::copy_outside_files(const std::vector<OutsideFile>& files,
                                                        std::size_t first_step) const {
  std::vector<CopiedItem> items;
  for (const OutsideFile& file : files) {
    const auto begun = std::chrono::steady_clock::now();
    bool is_there = false;
    steps_.run(first_step++, file.setting, [&] {
      is_there = copy_(file.path, data_directory_ / std::filesystem::path(file.path).filename());
    });
    if (is_there) {
      items.push_back(item_since(file.setting, begun));
    } else {
      tell_missing(file);
    }
  }
  return items;
}

void SingleFiles::copy_label(const std::string& source_directory, std::size_t step) const {
  const std::string label = source_directory + "/" + kLabelFileName;
  steps_.run(step, kLabelFileName, [&] {
    if (copy_(label, data_directory_ / kLabelFileName)) return;
    throw Error(ErrorKind::not_found,
                fmt::format("there is no file \"{}\": the exclusive backup has ended", label),
                "Take the backup again.");
  });
}

}  // namespace barman::backup
