// The files of a backup below `base/<id>`, as list-files tells them. Nothing
// is changed. Paths are absolute.
#pragma once

#include <filesystem>
#include <functional>

namespace barman::catalogue {

enum class EmptyDirectories { leave_out, list };

// Visits the files below `directory`: those of a directory before its subdirectories, both in order
// of name. Symbolic links to directories are neither listed nor followed. Memory depends on the
// largest directory only. Throws SystemError naming the directory that cannot be read.
void visit_files(const std::filesystem::path& directory, EmptyDirectories empty_directories,
                 const std::function<void(const std::filesystem::path&)>& visitor);

}  // namespace barman::catalogue
