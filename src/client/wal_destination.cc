#include "client/wal_destination.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/error.h"

namespace barman::client {
namespace fs = std::filesystem;
namespace {

bool is_special(const fs::path& path) {
  struct stat status = {};
  return ::stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode);
}

}  // namespace

WalDestination::WalDestination(fs::path path) : path_(std::move(path)) {
  if (!is_special(path_)) {
    temporary_ = path_.string() + ".part";
    ::unlink(temporary_.c_str());
    file_ = Fd(::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (file_.is_open()) return;
    if (errno != EACCES && errno != EPERM) {
      throw_errno("cannot open \"" + temporary_.string() + "\"");
    }
    temporary_.clear();
  }
  file_ = Fd(::open(path_.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file_.is_open()) throw_errno("cannot open \"" + path_.string() + "\"");
}

WalDestination::~WalDestination() {
  if (file_.is_open() && !temporary_.empty()) ::unlink(temporary_.c_str());
}

const Fd& WalDestination::begin() {
  // A pipe takes neither; nothing was written to it before the first attempt.
  if (::ftruncate(file_.get(), 0) == 0) static_cast<void>(::lseek(file_.get(), 0, SEEK_SET));
  return file_;
}

void WalDestination::keep() {
  file_.close(path_);
  if (temporary_.empty() || ::rename(temporary_.c_str(), path_.c_str()) == 0) return;
  const int error_number = errno;
  ::unlink(temporary_.c_str());
  throw SystemError(error_number, "cannot rename \"" + temporary_.string() + "\"");
}

void WalDestination::remove() {
  struct stat status = {};
  if (::lstat(path_.c_str(), &status) == 0 && S_ISREG(status.st_mode)) ::unlink(path_.c_str());
}

}  // namespace barman::client
