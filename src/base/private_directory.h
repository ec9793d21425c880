// Directories below /tmp and the like, in which nobody else may put anything.
#pragma once

#include <filesystem>
#include <string_view>

namespace barman {

// A directory itself, not a link to one, of this user, that no other one can write.
bool is_private_directory(const std::filesystem::path& path);

// Creates it (0700) unless it is there. Returns whether it was created. Throws when it cannot be
// created or is not private; `option` is what names another one: "--spool-dir".
bool make_private_directory(const std::filesystem::path& path, std::string_view option);

// Whether what this user makes in there stays what it is: a directory (or a link to one) of this
// user or of root, in which nobody else can rename or remove it.
bool is_safe_parent(const std::filesystem::path& path);

}  // namespace barman
