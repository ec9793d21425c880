// Directories below /tmp and the like, in which nobody else may put anything.
#pragma once

#include <filesystem>
#include <string_view>

namespace barman::client {

// A directory itself, not a link to one, of this user, that no other one can write.
bool is_private_directory(const std::filesystem::path& path);

// Creates it (0700) unless it is there. Returns whether it was created. Throws when it cannot be
// created or is not private; `option` is what names another one: "--spool-dir".
bool make_private_directory(const std::filesystem::path& path, std::string_view option);

}  // namespace barman::client
