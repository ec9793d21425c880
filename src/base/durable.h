// Changes of the file system that survive a crash: a file appears under its final name complete and
// durable (fsync, rename, fsync of the directory), or not at all.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <string_view>

#include "base/fd.h"

namespace barman {

// fsync of an existing directory. EINVAL is tolerated (some file systems).
void sync_directory(const std::filesystem::path& path);

// rename(2), then fsync of the target's directory, and of the source's when it is another one.
void rename_durably(const std::filesystem::path& from, const std::filesystem::path& to);
// unlink(2) followed by fsync of the directory; a missing file is no error.
void remove_durably(const std::filesystem::path& path);

// mkdir -p; each created directory gets `mode` & ~umask and its parent is fsynced.
void make_directories(const std::filesystem::path& path, mode_t mode = 0777);

// Removes a tree, following no symbolic link. A missing tree is no error. Throws on the first
// failure.
void remove_tree(const std::filesystem::path& path);

// A file being written beside its final name. commit() makes it durable and visible: the only way
// to replace a file. Destroyed without commit(), it removes its temporary file.
class AtomicFile {
 public:
  // The temporary name is `<path><suffix>`, in the same directory; an old one is replaced.
  explicit AtomicFile(std::filesystem::path path, mode_t mode = 0644,
                      std::string_view suffix = ".tmp");
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile();

  void write(Bytes data) { write_full(fd_, data, temporary_path_); }
  void write(std::string_view text) { write(as_bytes(text)); }
  const Fd& fd() const noexcept { return fd_; }
  const std::filesystem::path& temporary_path() const noexcept { return temporary_path_; }
  // Commit point: fsync of the file, close, rename, fsync of the directory.
  void commit();
  // The same under a file name that depends on the content; returns the path.
  std::filesystem::path commit_as(const std::string& file_name);

 private:
  std::filesystem::path path_;
  std::filesystem::path temporary_path_;
  Fd fd_;
};

// AtomicFile with all of its content at once.
void write_file_durably(const std::filesystem::path& path, std::string_view content,
                        mode_t mode = 0644);

}  // namespace barman
