// What the unit tests of this folder want to know of the system.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstddef>
#include <filesystem>
#include <vector>

#include "base/error.h"
#include "base/fd.h"

namespace barman::pipeline {

inline bool takes_direct_writes(const std::filesystem::path& directory) {
  const Fd probe(
      ::open((directory / "probe").c_str(), O_WRONLY | O_CREAT | O_DIRECT | O_CLOEXEC, 0600));
  return probe.is_open();
}

// How many of its bytes are in the page cache.
inline std::size_t cached_bytes(const std::filesystem::path& path) {
  const Fd fd = open_file(path, O_RDONLY);
  const std::size_t size = std::filesystem::file_size(path);
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  void* const address = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd.get(), 0);
  if (address == MAP_FAILED) throw_errno("mmap");
  std::vector<unsigned char> pages((size + page - 1) / page);
  if (::mincore(address, size, pages.data()) != 0) throw_errno("mincore");
  ::munmap(address, size);
  std::size_t count = 0;
  for (const unsigned char is_there : pages) count += is_there & 1U;
  return count * page;
}

// No file of this process becomes larger, as on a disk that is full.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(std::size_t size_bytes) : old_handler_(::signal(SIGXFSZ, SIG_IGN)) {
    if (::getrlimit(RLIMIT_FSIZE, &old_) != 0) throw_errno("getrlimit");
    const struct rlimit limit = {.rlim_cur = size_bytes, .rlim_max = old_.rlim_max};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) throw_errno("setrlimit");
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &old_);
    ::signal(SIGXFSZ, old_handler_);
  }

 private:
  struct rlimit old_ = {};
  void (*old_handler_)(int);
};

}  // namespace barman::pipeline
