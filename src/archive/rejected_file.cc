#include "archive/rejected_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include <fmt/format.h>

#include "archive/file_transfer.h"
#include "base/durable.h"
#include "base/error.h"
#include "base/fd.h"

namespace barman::archive {
namespace fs = std::filesystem;
namespace {

constexpr std::int64_t kSecond = 1'000'000;

fs::path unused_name(const fs::path& directory, const std::string& name, RejectReason reason,
                     Timestamp now) {
  const std::string suffix = reason == RejectReason::duplicate ? "duplicate" : "unknown";
  Timestamp time = {.microseconds = now.microseconds};  // UTC
  for (;; time.microseconds += kSecond) {
    fs::path path = directory / fmt::format("{}.{}Z.{}", name, format_compact(time), suffix);
    struct stat status = {};
    if (::lstat(path.c_str(), &status) != 0 && errno == ENOENT) return path;
  }
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
  const fs::path temporary = target.string() + ".tmp";
  link_or_copy(open_file(path, O_RDONLY), path, temporary);
  rename_durably(temporary, target);
  remove_durably(path);
  return target;
}

}  // namespace barman::archive
