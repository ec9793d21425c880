#include "stored/file_pool.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <list>
#include <map>
#include <mutex>
#include <utility>

#include "base/error.h"

namespace barman::stored {
namespace {

struct stat status_of(const Fd& file, const std::filesystem::path& path) {
  struct stat status = {};
  if (::fstat(file.get(), &status) != 0) throw_errno("cannot access \"" + path.string() + "\"");
  return status;
}

// The open ones, the last used one first.
class Pool {
 public:
  std::shared_ptr<const Fd> find(const PooledFile* owner) {
    const std::lock_guard lock(mutex_);
    const auto found = places_.find(owner);
    if (found == places_.end()) return nullptr;
    open_.splice(open_.begin(), open_, found->second);
    return found->second->file;
  }
  // The one that is there when two threads have opened it.
  std::shared_ptr<const Fd> add(const PooledFile* owner, Fd file) {
    const std::lock_guard lock(mutex_);
    const auto found = places_.find(owner);
    if (found != places_.end()) return found->second->file;
    open_.push_front({owner, std::make_shared<const Fd>(std::move(file))});
    places_[owner] = open_.begin();
    if (open_.size() > kMostOpenFiles) {
      places_.erase(open_.back().owner);
      open_.pop_back();
    }
    return open_.front().file;
  }
  void remove(const PooledFile* owner) {
    const std::lock_guard lock(mutex_);
    const auto found = places_.find(owner);
    if (found == places_.end()) return;
    open_.erase(found->second);
    places_.erase(found);
  }
  std::size_t size() {
    const std::lock_guard lock(mutex_);
    return open_.size();
  }

 private:
  struct Open {
    const PooledFile* owner;
    std::shared_ptr<const Fd> file;
  };
  std::mutex mutex_;
  std::list<Open> open_;
  std::map<const PooledFile*, std::list<Open>::iterator> places_;
};

Pool& pool() {
  static Pool instance;
  return instance;
}

}  // namespace

PooledFile::PooledFile(Fd file, std::filesystem::path path) : path_(std::move(path)) {
  const struct stat status = status_of(file, path_);
  device_ = status.st_dev;
  inode_ = status.st_ino;
  pool().add(this, std::move(file));
}

PooledFile::~PooledFile() { pool().remove(this); }

std::shared_ptr<const Fd> PooledFile::get() const {
  if (std::shared_ptr<const Fd> open = pool().find(this)) return open;
  Fd file = open_file(path_, O_RDONLY);
  const struct stat status = status_of(file, path_);
  if (status.st_dev != device_ || status.st_ino != inode_) {
    throw Error(ErrorKind::corrupt,
                "\"" + path_.string() + "\" was replaced while it was being read",
                "Look at who writes there, and try again.");
  }
  return pool().add(this, std::move(file));
}

std::size_t count_pooled_files() { return pool().size(); }

}  // namespace barman::stored
