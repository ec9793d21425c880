#include "base/scratch_directory.h"

#include <cstdlib>
#include <string>
#include <system_error>

#include <fmt/format.h>

#include "base/error.h"

namespace barman {
namespace fs = std::filesystem;

ScratchDirectory::ScratchDirectory(std::string_view name) {
  std::string pattern = (fs::temp_directory_path() / fmt::format("{}-XXXXXX", name)).string();
  if (::mkdtemp(pattern.data()) == nullptr) throw_errno("cannot create \"" + pattern + "\"");
  path_ = pattern;
}

ScratchDirectory::~ScratchDirectory() {
  std::error_code code;  // Nobody needs it, and only this user can read it.
  fs::remove_all(path_, code);
}

}  // namespace barman
