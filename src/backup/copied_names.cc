#include "backup/copied_names.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "postgres/backup_manifest.h"

namespace barman::backup {
namespace {

// Their contents; at the top of a data directory.
constexpr std::array<std::string_view, 4> kEmptyAtTheTop = {"pg_log", "log", "pg_xlog", "pg_wal"};

// Their contents, wherever they are, as in a backup that PostgreSQL streams (basebackup.c,
// excludeDirContents): a stats_temp_directory may lie deeper.
constexpr std::array<std::string_view, 7> kEmptyEverywhere = {
    "pg_dynshmem", "pg_notify",    "pg_replslot", "pg_serial",
    "pg_stat_tmp", "pg_snapshots", "pg_subtrans"};

// Files at the top of a data directory.
constexpr std::array<std::string_view, 4> kOtherFiles = {
    "global/pg_control",
    // That of a backup from which the cluster was restored.
    postgres::kBackupManifest,
    // Those of this backup come from the server.
    "backup_label", "tablespace_map"};

constexpr std::array<std::string_view, 7> kNames = {
    "postgresql.auto.conf.tmp", "current_logfiles.tmp", "pg_internal.init", "postmaster.pid",
    "postmaster.opts",          "recovery.conf",        "standby.signal"};

bool is_digit(char letter) { return letter >= '0' && letter <= '9'; }

// "t3_16384" in a directory of a database: a temporary relation, "t[0-9]*_[0-9]*".
bool is_temporary_relation(std::string_view directory, std::string_view name) {
  const std::string_view parent = directory.substr(directory.rfind('/') + 1);
  if (parent.empty() || !is_digit(parent.front())) return false;
  if (name.size() < 4 || name.front() != 't' || !is_digit(name[1])) return false;
  const std::size_t line = name.find('_');
  return line != std::string_view::npos && line + 1 < name.size() && is_digit(name[line + 1]);
}

template <std::size_t size>
bool is_one_of(const std::array<std::string_view, size>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool is_in_an_empty_directory(std::string_view path) {
  for (std::size_t slash = path.find('/'); slash != std::string_view::npos;
       slash = path.find('/')) {
    if (is_one_of(kEmptyEverywhere, path.substr(0, slash))) return true;
    path.remove_prefix(slash + 1);
  }
  return false;
}

bool is_copied(std::string_view path) {
  if (is_in_an_empty_directory(path)) return false;
  const std::size_t slash = path.rfind('/');
  const std::string_view name = slash == std::string_view::npos ? path : path.substr(slash + 1);
  if (name.starts_with("pgsql_tmp")) return false;
  if (is_one_of(kNames, name)) return false;
  return slash == std::string_view::npos || !is_temporary_relation(path.substr(0, slash), name);
}

}  // namespace

bool is_copied_from_data_directory(std::string_view path) {
  const std::size_t slash = path.find('/');
  if (slash != std::string_view::npos && is_one_of(kEmptyAtTheTop, path.substr(0, slash))) {
    return false;
  }
  return !is_one_of(kOtherFiles, path) && is_copied(path);
}

std::function<bool(std::string_view path)> copied_from_data_directory(
    std::vector<std::string> tablespaces_inside) {
  return [inside = std::move(tablespaces_inside)](std::string_view path) {
    return is_copied_from_data_directory(path) &&
           std::find(inside.begin(), inside.end(), path) == inside.end();
  };
}

std::vector<std::string> list_tablespaces_inside(
    const std::filesystem::path& data_directory,
    const std::vector<catalogue::Tablespace>& tablespaces, FilesLie files_lie) {
  namespace fs = std::filesystem;
  const bool are_here = files_lie == FilesLie::here;
  const fs::path data = are_here ? fs::canonical(data_directory) : data_directory;
  std::vector<std::string> inside;
  for (const catalogue::Tablespace& tablespace : tablespaces) {
    const fs::path location =
        are_here ? fs::weakly_canonical(tablespace.location) : fs::path(tablespace.location);
    const fs::path relative = location.lexically_relative(data);
    if (!relative.empty() && *relative.begin() != "..") inside.push_back(relative.string());
  }
  return inside;
}

bool is_copied_from_tablespace(std::string_view path, std::string_view major_version) {
  const std::string own = "PG_" + std::string(major_version) + "_";
  return path.starts_with(own) && is_copied(path);
}

}  // namespace barman::backup
