// Directories and modes of a restored cluster, whatever the umask of this process.
#pragma once

#include <sys/types.h>

#include <filesystem>

namespace barman::restore {

void set_mode(const std::filesystem::path& path, mode_t mode);
// It may be there; its parent is.
void create_directory(const std::filesystem::path& path, mode_t mode);

}  // namespace barman::restore
