#include "wal_archive/rejected_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <string_view>

#include <fmt/format.h>

#include "base/digest.h"
#include "base/durable.h"
#include "base/error.h"
#include "base/fd.h"
#include "pipeline/file_transfer.h"

namespace barman::wal_archive {
namespace fs = std::filesystem;
namespace {

constexpr std::int64_t kSecond = 1'000'000;

// More than that within a second are no accident.
constexpr int kMostOfOneName = 86400;

// What fits into a directory entry together with the rest; what is cut off leaves its hash behind,
// so that two names stay two.
std::string shortened(const std::string& name, std::size_t other_bytes) {
  if (name.size() + other_bytes <= NAME_MAX) return name;
  constexpr std::size_t kHashDigits = 16;
  const std::string hash = digest_of(DigestAlgorithm::sha256, name).substr(0, kHashDigits);
  return name.substr(0, NAME_MAX - other_bytes - kHashDigits - 1) + "-" + hash;
}

fs::path unused_name(const fs::path& directory, const std::string& name, RejectReason reason,
                     Timestamp now) {
  // Across file systems the copy has a name of its own until it is complete.
  constexpr std::string_view kTemporary = ".tmp";
  const std::string suffix = reason == RejectReason::duplicate ? "duplicate" : "unknown";
  Timestamp time = {.microseconds = now.microseconds};  // UTC
  for (int i = 0; i < kMostOfOneName; ++i, time.microseconds += kSecond) {
    const std::string end = fmt::format(".{}Z.{}", format_compact(time), suffix);
    fs::path path = directory / (shortened(name, end.size() + kTemporary.size()) + end);
    struct stat status = {};
    if (::lstat(path.c_str(), &status) == 0) continue;
    if (errno == ENOENT) return path;
    throw_errno("cannot access \"" + path.string() + "\"");
  }
  throw Error(ErrorKind::io,
              fmt::format("\"{}\" holds too many files of the name '{}'", directory.string(), name),
              "Look at them, and remove what is not needed.");
}

void copy_as(const Fd& file, const fs::path& path, const fs::path& target) {
  const fs::path temporary = target.string() + ".tmp";
  pipeline::link_or_copy(file, path, temporary);
  rename_durably(temporary, target);
}

}  // namespace

fs::path move_to_errors(const fs::path& errors_directory, const fs::path& path, RejectReason reason,
                        Timestamp now) {
  return move_to_errors(errors_directory, path, path.filename().string(), reason, now);
}

fs::path move_to_errors(const fs::path& errors_directory, const fs::path& path,
                        const std::string& name, RejectReason reason, Timestamp now) {
  make_directories(errors_directory);
  fs::path target = unused_name(errors_directory, name, reason, now);
  if (::rename(path.c_str(), target.c_str()) == 0) {
    sync_directory(errors_directory);
    sync_directory(path.parent_path());
    return target;
  }
  if (errno != EXDEV || !fs::is_regular_file(fs::symlink_status(path))) {
    throw_errno("cannot move \"" + path.string() + "\" to \"" + target.string() + "\"");
  }
  copy_as(open_file(path, O_RDONLY), path, target);
  remove_durably(path);
  return target;
}

fs::path copy_to_errors(const fs::path& errors_directory, const Fd& file, const fs::path& label,
                        const std::string& name, RejectReason reason, Timestamp now) {
  make_directories(errors_directory);
  fs::path target = unused_name(errors_directory, name, reason, now);
  copy_as(file, label, target);
  return target;
}

}  // namespace barman::wal_archive
