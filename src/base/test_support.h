// Directories and small files for unit tests of all folders.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>

#include "base/error.h"
#include "base/scratch_directory.h"

namespace barman {

// Goes away with the object.
class TemporaryDirectory : public ScratchDirectory {
 public:
  TemporaryDirectory() : ScratchDirectory("barman-locked-unit") {}
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() {
    // Sockets of an agent that is just ending may go away while the directory is read.
    std::error_code code;
    std::filesystem::remove_all(path(), code);
  }
};

// A long walk over cases: all of them with BARMAN_THOROUGH=1 (`./test --all`), else each `step`th.
inline int stride(int step) {
  return ::getenv("BARMAN_THOROUGH") != nullptr ? 1 : step;  // NOLINT(concurrency-mt-unsafe)
}

// The first case (from 0) of such a walk: another one at each commit (BARMAN_TURN, as ./test sets
// it).
inline int first_of_stride(int step) {
  const char* const turn = ::getenv("BARMAN_TURN");  // NOLINT(concurrency-mt-unsafe)
  return turn == nullptr ? 0 : std::atoi(turn) % stride(step);
}

inline void put_file(const std::filesystem::path& path, std::string_view content) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << content;
}

inline std::string get_file(const std::filesystem::path& path) {
  std::ostringstream content;
  content << std::ifstream(path, std::ios::binary).rdbuf();
  return content.str();
}

}  // namespace barman
