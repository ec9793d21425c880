// Content that needs a place for a while and must not stay behind, whatever ends the program.
#pragma once

#include <filesystem>

#include "base/fd.h"

namespace barman {

// A file without a name in that directory, gone when it is closed.
Fd open_anonymous_file(const std::filesystem::path& directory);

// A file that is on no disk, for what is stored encrypted only. It takes the memory of its size.
Fd open_memory_file();

}  // namespace barman
