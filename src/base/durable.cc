#include "base/durable.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <string>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "base/hint.h"

namespace barman {
namespace fs = std::filesystem;

namespace {

// What is left after a failure begins with what could not be removed.
fs::path first_left_in(fs::path path) {
  for (;;) {
    std::error_code code;
    if (!fs::is_directory(fs::symlink_status(path, code))) return path;
    const fs::directory_iterator entry(path, code);
    if (code || entry == fs::directory_iterator()) return path;
    path = entry->path();
  }
}

fs::path directory_of(const fs::path& path) {
  const fs::path parent = path.parent_path();
  return parent.empty() ? fs::path(".") : parent;
}

// rename(2) that never replaces; by a second name where the file system has no such call.
void rename_to_new(const fs::path& from, const fs::path& to) {
  int result = ::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE);
  if (result != 0 && (errno == EINVAL || errno == ENOSYS)) {
    result = ::link(from.c_str(), to.c_str());
    if (result == 0) result = ::unlink(from.c_str());
  }
  if (result == 0) return;
  if (errno == EEXIST) {
    throw Error(ErrorKind::conflict, "\"" + to.string() + "\" exists already");
  }
  throw_errno("cannot rename \"" + from.string() + "\" to \"" + to.string() + "\"");
}

}  // namespace

void sync_directory(const fs::path& path) {
  const Fd fd = open_file(path, O_RDONLY | O_DIRECTORY);
  if (::fsync(fd.get()) != 0 && errno != EINVAL)
    throw_errno("cannot fsync \"" + path.string() + "\"");
}

void rename_durably(const fs::path& from, const fs::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) {
    throw_errno("cannot rename \"" + from.string() + "\" to \"" + to.string() + "\"");
  }
  sync_directory(directory_of(to));
  if (directory_of(from) != directory_of(to)) sync_directory(directory_of(from));
}

void remove_durably(const fs::path& path) {
  if (::unlink(path.c_str()) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return;
    throw_errno("cannot remove \"" + path.string() + "\"");
  }
  sync_directory(directory_of(path));
}

void make_directories(const fs::path& path, mode_t mode) {
  if (path.empty()) return;
  int error_number = ::mkdir(path.c_str(), mode) == 0 ? 0 : errno;
  if (error_number == ENOENT && path.has_parent_path() && path.parent_path() != path) {
    make_directories(path.parent_path(), mode);
    error_number = ::mkdir(path.c_str(), mode) == 0 ? 0 : errno;
  }
  if (error_number == 0) return sync_directory(directory_of(path));
  struct stat status = {};
  const bool leads_somewhere = ::stat(path.c_str(), &status) == 0;
  if (leads_somewhere && S_ISDIR(status.st_mode)) return;
  if (error_number == EEXIST) {
    if (!leads_somewhere) {
      throw Error(ErrorKind::conflict,
                  "cannot create directory \"" + path.string() +
                      "\": a symbolic link that leads nowhere has that name",
                  kHintOfLostLink);
    }
    throw Error(ErrorKind::conflict,
                "cannot create directory \"" + path.string() + "\": something else has that name",
                "Look at who has put it there, and move it away.");
  }
  throw SystemError(error_number, "cannot create directory \"" + path.string() + "\"");
}

void remove_tree(const fs::path& path) {
  std::error_code code;
  fs::remove_all(path, code);
  if (code) {
    throw SystemError(code.value(), "cannot remove \"" + first_left_in(path).string() + "\"");
  }
}

AtomicFile::AtomicFile(fs::path path, mode_t mode, std::string_view suffix)
    : path_(std::move(path)), temporary_path_(path_.string() + std::string(suffix)) {
  fd_ = create_file(temporary_path_, O_WRONLY, mode);
}

AtomicFile::~AtomicFile() {
  if (fd_.is_open()) ::unlink(temporary_path_.c_str());
}

void AtomicFile::commit(IfTaken if_taken) {
  sync_fd(fd_, temporary_path_);
  try {
    fd_.close(temporary_path_);
    if (if_taken == IfTaken::replace) {
      rename_durably(temporary_path_, path_);
    } else {
      rename_to_new(temporary_path_, path_);
      sync_directory(directory_of(path_));
    }
  } catch (const Error&) {
    // The descriptor is gone, so the destructor would no longer clean up.
    ::unlink(temporary_path_.c_str());
    throw;
  }
}

fs::path AtomicFile::commit_as(const std::string& file_name) {
  path_.replace_filename(file_name);
  commit();
  return path_;
}

void write_file_durably(const fs::path& path, std::string_view content, mode_t mode) {
  AtomicFile file(path, mode);
  file.write(content);
  file.commit();
}

}  // namespace barman
