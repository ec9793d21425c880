// Files from one place to another: within a file system without touching their bytes, across file
// systems as durable copies, and to descriptors.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <filesystem>

#include "base/fd.h"

namespace barman::pipeline {

// Makes `path` a second name of the open file `source`, called `source_path`; where that is not
// possible (another file system, no permission for hard links) a copy with its mode and times,
// fsynced. A file that `path` names is replaced. The directory is not flushed.
void link_or_copy(const Fd& source, const std::filesystem::path& source_path,
                  const std::filesystem::path& path);

// Of a copy: those of its original.
void set_mode_and_times(const Fd& copy, const std::filesystem::path& path,
                        const struct stat& original);

// Whether both have the same bytes, from the beginning on.
bool is_same_content(const Fd& a, const std::filesystem::path& a_path, const Fd& b,
                     const std::filesystem::path& b_path);

// Copies all of `source` to `fd` (file, pipe or socket) inside the kernel where that is possible.
// False when the reader of a pipe or socket is gone.
bool send_file(const Fd& source, const std::filesystem::path& source_path, int fd,
               const std::filesystem::path& target_path);

}  // namespace barman::pipeline
