// Directories of one test. They go away with the object, except when the test has failed: then they
// stay and their path is printed. BARMAN_KEEP=1 keeps them all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace barman::test {

class TempDir {
 public:
  enum class Keep { on_failure, never };

  explicit TempDir(std::string_view name = "barman-test", Keep keep = Keep::on_failure);
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  ~TempDir();

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  Keep keep_;
  int exceptions_before_;
};

// A file system of a few megabytes, mounted on a directory of its own, for tests of a full disk:
//   if (!Tmpfs::is_available()) GTEST_SKIP() << Tmpfs::kUnavailable;
class Tmpfs {
 public:
  static constexpr const char* kUnavailable = "mounting a tmpfs needs root";
  static bool is_available();

  explicit Tmpfs(std::uint64_t size_bytes);
  Tmpfs(const Tmpfs&) = delete;
  Tmpfs& operator=(const Tmpfs&) = delete;
  ~Tmpfs();

  const std::filesystem::path& path() const { return directory_.path(); }
  std::uint64_t free_bytes() const;
  // Leaves so many bytes free, in whole pages.
  void fill_up(std::uint64_t left_bytes) const;
  // Changes the size of the mounted file system: space for the operator who comes to help.
  void resize(std::uint64_t size_bytes);
  // No file more than there are now, though there may be space.
  void allow_no_more_files();
  // A snapshot, or a disk that was rescued. Nothing may have a file there open for writing.
  void make_read_only();

 private:
  void remount(unsigned long flags, const std::string& options);

  TempDir directory_;
};

// Small files as text.
void write_text(const std::filesystem::path& path, std::string_view text);
std::string read_text(const std::filesystem::path& path);
// Changes the lowest bit of a byte.
void flip_bit(const std::filesystem::path& path, std::size_t offset);
// What is in a directory, sorted; nothing where there is none.
std::vector<std::string> names_in(const std::filesystem::path& directory);

}  // namespace barman::test
