// What lies in a directory. To be unable to tell is an error here, never "nothing".
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace barman {

// The names in it, ascending; none when there is no such directory. Throws SystemError when it
// cannot be read (EACCES, EIO, ESTALE).
std::vector<std::string> list_directory(const std::filesystem::path& directory);

}  // namespace barman
