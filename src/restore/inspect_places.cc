#include "restore/inspect_places.h"

#include <pwd.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <limits>
#include <system_error>

#include <fmt/format.h>

#include "base/directory.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"
#include "postgres/control_file.h"
#include "wal/wal_file_name.h"

namespace barman::restore {
namespace fs = std::filesystem;

namespace {

// File systems that share blocks between files.
constexpr decltype(statfs::f_type) kBtrfsMagic = 0x9123683E;
constexpr decltype(statfs::f_type) kBcachefsMagic = 0x0CA451A4E;

struct stat status_of(const fs::path& path) {
  struct stat status = {};
  if (::stat(path.c_str(), &status) != 0) {
    throw_errno(fmt::format("cannot look at \"{}\"", path.string()));
  }
  return status;
}

bool has_visible_entries(const fs::path& directory) {
  const std::vector<std::string> names = list_directory(directory);
  return std::any_of(names.begin(), names.end(),
                     [](const std::string& name) { return name.front() != '.'; });
}

fs::path nearest_existing(fs::path path) {
  std::error_code code;
  while (!fs::exists(path, code) && path.has_relative_path()) path = path.parent_path();
  return path;
}

bool holds_tablespace_only(const fs::path& directory) {
  for (const std::string& name : list_directory(directory)) {
    const bool is_neutral = name.front() == '.' || name == "lost+found";
    if (!is_neutral && !name.starts_with("PG_")) return false;
  }
  return true;
}

std::optional<postgres::SystemId> find_system_id(const fs::path& directory) {
  try {
    return postgres::read_control_file(directory).system_id;
  } catch (const Error&) {  // Absent or damaged: then it says nothing.
    return std::nullopt;
  }
}

std::map<std::uint32_t, fs::path> find_tablespace_links(const fs::path& directory) {
  std::map<std::uint32_t, fs::path> links;
  for (const std::string& name :
       list_directory(directory / "pg_tblspc", IfAbsent::or_other_is_empty)) {
    const std::optional<std::int64_t> oid = parse_integer(name);
    if (!oid || *oid <= 0 || *oid > std::numeric_limits<std::uint32_t>::max()) continue;
    const fs::path link = directory / "pg_tblspc" / name;
    const auto status = find_status(link, Links::refuse);
    if (!status || !S_ISLNK(status->st_mode)) continue;
    std::error_code code;
    fs::path target = fs::read_symlink(link, code);
    if (!code) target = fs::weakly_canonical(fs::absolute(target), code);
    if (code) throw SystemError(code.value(), "cannot follow \"" + link.string() + "\"");
    links[static_cast<std::uint32_t>(*oid)] = std::move(target);
  }
  return links;
}

void inspect_wal(const fs::path& directory, DirectoryFacts& facts) {
  for (const char* const name : {"pg_wal", "pg_xlog"}) {
    std::error_code code;
    const fs::path path = directory / name;
    if (fs::is_symlink(path, code)) {
      fs::path place = fs::canonical(path, code);
      if (!code) facts.wal_link = std::move(place);
    }
    for (std::string& file : list_directory(path, IfAbsent::or_other_is_empty)) {
      if (wal::parse_wal_file_name(file)) facts.wal_names.push_back(std::move(file));
    }
  }
}

// Of the path, or of the last directory on the way that can be looked at.
std::string owner_of(fs::path path) {
  struct stat status = {};
  while (::stat(path.c_str(), &status) != 0) {
    if (path == path.parent_path()) return "";
    path = path.parent_path();
  }
  std::array<char, 4096> buffer = {};
  passwd entry = {};
  passwd* found = nullptr;
  const bool has_name =
      ::getpwuid_r(status.st_uid, &entry, buffer.data(), buffer.size(), &found) == 0 &&
      found != nullptr;
  return fmt::format("'{}' belongs to {}, mode {:04o}", path.string(),
                     has_name ? std::string(entry.pw_name) : fmt::to_string(status.st_uid),
                     status.st_mode & 07777U);
}

// Whether this user can look at it, and into it when it is a directory.
bool can_look_into(const fs::path& path) {
  struct stat status = {};
  if (::stat(path.c_str(), &status) != 0) return errno != EACCES;
  return !S_ISDIR(status.st_mode) || ::access(path.c_str(), R_OK | X_OK) == 0;
}

DirectoryFacts inspect(const std::string& text, std::uint64_t catalogue_device) {
  DirectoryFacts facts;
  std::error_code code;
  fs::path path = fs::path(text).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();
  facts.owner_text = owner_of(path);
  facts.is_readable = can_look_into(path);
  if (!facts.is_readable) {
    facts.resolved = path;
    return facts;
  }
  facts.resolved = fs::weakly_canonical(path, code);
  if (code) facts.resolved = path;
  const auto status = find_status(path);
  facts.exists = status.has_value();
  facts.is_directory = status && S_ISDIR(status->st_mode);
  const fs::path existing = nearest_existing(facts.resolved);
  facts.is_writable = ::access(existing.c_str(), W_OK | X_OK) == 0;
  facts.is_on_read_only_disk = !facts.is_writable && errno == EROFS;
  if (facts.is_directory) {
    facts.is_empty = !has_visible_entries(path);
    facts.running_postmaster = find_running_postmaster(path);
    facts.is_data_directory = find_status(path / "PG_VERSION").has_value();
    facts.interrupted_restore = find_restore_marker(path);
    facts.holds_tablespace_only = holds_tablespace_only(path);
    facts.system_id = find_system_id(path);
    facts.tablespace_links = find_tablespace_links(path);
    inspect_wal(path, facts);
  }
  struct statfs disk = {};
  if (::statfs(existing.c_str(), &disk) != 0) {
    throw_errno(fmt::format("cannot look at the file system of \"{}\"", existing.string()));
  }
  facts.device = status_of(existing).st_dev;
  facts.available_bytes =
      static_cast<std::uint64_t>(disk.f_bavail) * static_cast<std::uint64_t>(disk.f_bsize);
  facts.shares_blocks_with_catalogue =
      facts.device == catalogue_device &&
      (disk.f_type == kBtrfsMagic || disk.f_type == kBcachefsMagic);
  return facts;
}

}  // namespace

std::uint64_t device_of(const fs::path& path) { return status_of(path).st_dev; }

// The first line of postmaster.pid, when that process lives.
std::optional<int> find_running_postmaster(const fs::path& directory) {
  const std::optional<std::string> content = find_and_read_file(directory / "postmaster.pid");
  if (!content) return std::nullopt;
  const std::optional<std::int64_t> number =
      parse_integer(strip(std::string_view(*content).substr(0, content->find('\n'))));
  if (!number) return std::nullopt;
  // A single-user server writes its pid negative.
  const auto pid = static_cast<pid_t>(*number < 0 ? -*number : *number);
  if (pid <= 1 || (::kill(pid, 0) != 0 && errno == ESRCH)) return std::nullopt;
  return pid;
}

void inspect_places(const RestoreRequest& request, const Relocations& relocations,
                    RestoreFacts& facts) {
  facts.destination = inspect(request.destination, facts.catalogue_device);
  for (const catalogue::Tablespace& tablespace : facts.backup.tablespaces) {
    facts.tablespace_targets[tablespace.name] =
        inspect(location_of(tablespace, relocations), facts.catalogue_device);
  }
  if (request.staging_wal_directory && !request.get_wal) {
    if (!fs::path(*request.staging_wal_directory).is_absolute()) {
      throw Error(ErrorKind::usage,
                  fmt::format("The staging WAL directory '{}' is not an absolute path",
                              *request.staging_wal_directory),
                  "Give a path that begins with a slash.");
    }
    facts.staging_wal = inspect(*request.staging_wal_directory, facts.catalogue_device);
  }
  facts.live_clusters = list_live_clusters();
}

}  // namespace barman::restore
