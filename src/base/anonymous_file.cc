#include "base/anonymous_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "base/error.h"

namespace barman {

Fd open_anonymous_file(const std::filesystem::path& directory) {
  Fd fd(::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (fd.is_open()) return fd;
  // Not every file system can do that.
  std::string name = (directory / ".anonymous-XXXXXX").string();
  fd = Fd(::mkostemp(name.data(), O_CLOEXEC));
  if (!fd.is_open()) throw_errno("cannot create a file in \"" + directory.string() + "\"");
  ::unlink(name.c_str());
  return fd;
}

Fd open_memory_file() {
  Fd fd(::memfd_create("barman", MFD_CLOEXEC));
  if (!fd.is_open()) throw_errno("cannot create a file in memory");
  return fd;
}

}  // namespace barman
