// Locks between processes: an exclusive flock(2) on a file that holds "<pid>\n". The file stays
// after release; only the flock counts. Names and meaning are those of Barman, so that processes of
// both implementations exclude each other. A missing directory is created.
//
// Where no lock file can be made, there is a lock all the same (a log line tells): on a full disk
// an abstract socket name takes its place, which is always exclusive, and which who makes the file
// later looks at; on a read-only file system an existing file is locked, and a missing one means
// that nobody on this host can hold the lock. Only regular files are opened, links never.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>

#include "base/fd.h"

namespace barman {

class FileLock {
 public:
  // Takes the lock without waiting; nullopt when another process holds it. Throws `permission` when
  // the file cannot be opened for that reason: "Permission denied, unable to access 'PATH'".
  static std::optional<FileLock> try_lock(const std::filesystem::path& path);
  // A shared lock without waiting: it keeps exclusive lockers out, not other shared ones; the pid
  // in the file stays. nullopt when another process holds the lock exclusively.
  static std::optional<FileLock> try_lock_shared(const std::filesystem::path& path);
  // Waits for ever. After locking, the inode is compared with the path's, because a clean-up may
  // have unlinked the file meanwhile.
  static FileLock lock(const std::filesystem::path& path);
  // The pid of the holder, nullopt when the lock is free or the file absent. Changes nothing.
  static std::optional<pid_t> holder(const std::filesystem::path& path);

  // Leaves no pid behind: who finds the file later does not take the end of this process for one
  // that nobody wanted. For exclusive locks.
  void forget_holder() const noexcept;

  FileLock(FileLock&&) noexcept = default;
  FileLock& operator=(FileLock&&) noexcept = default;
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;
  ~FileLock() = default;

 private:
  explicit FileLock(Fd fd) : fd_(std::move(fd)) {}
  // With LOCK_NB nullopt when another process holds it; without, when it is held without a file.
  static std::optional<FileLock> take(const std::filesystem::path& path, int operation);

  Fd fd_;
};

}  // namespace barman
