// Paths that come from somebody else (an archive, a manifest) and are used below a directory of
// ours.
#pragma once

#include <string_view>

namespace barman::pipeline {

// True when `path` names something strictly below the directory it is used in: not empty, not
// absolute, no "." or ".." or empty component, no NUL.
bool is_safe_relative_path(std::string_view path);

}  // namespace barman::pipeline
