#include "restore/live_clusters.h"

#include <algorithm>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "base/directory.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"

namespace barman::restore {
namespace {

namespace fs = std::filesystem;

bool is_postmaster_of(int pid, const fs::path& directory) {
  std::error_code code;
  if (!fs::is_regular_file(directory / "postmaster.pid", code)) return false;
  try {
    const std::optional<std::string> text = find_and_read_file(directory / "postmaster.pid");
    return text && parse_integer(strip(std::string_view(*text).substr(0, text->find('\n')))) == pid;
  } catch (const Error&) {  // Not ours to read, or gone: no cluster that we could tell of.
    return false;
  }
}

void add_link(const fs::path& link, LiveCluster& cluster) {
  std::error_code code;
  if (!fs::is_symlink(link, code)) return;
  fs::path place = fs::canonical(link, code);
  if (!code) cluster.places.push_back(std::move(place));
}

// What cannot be read belongs to others, and is nothing that could be written over by us.
std::vector<std::string> names_in(const fs::path& directory) {
  try {
    return list_directory(directory);
  } catch (const SystemError&) {
    return {};
  }
}

// Directories of several clusters may lie in one location, and of others beside them.
void add_tablespace(const fs::path& link, LiveCluster& cluster) {
  for (const std::string& name : names_in(link)) {
    if (!name.starts_with("PG_")) continue;
    std::error_code code;
    fs::path place = fs::canonical(link / name, code);
    if (!code) cluster.places.push_back(std::move(place));
  }
}

LiveCluster look_at(int pid, const fs::path& directory) {
  LiveCluster cluster{.pid = pid, .data_directory = directory, .places = {directory}};
  add_link(directory / "pg_wal", cluster);
  add_link(directory / "pg_xlog", cluster);
  for (const std::string& name : names_in(directory / "pg_tblspc")) {
    add_tablespace(directory / "pg_tblspc" / name, cluster);
  }
  return cluster;
}

}  // namespace

std::vector<LiveCluster> list_live_clusters() {
  std::vector<LiveCluster> clusters;
  for (const std::string& name : names_in("/proc")) {
    const std::optional<std::int64_t> number = parse_integer(name);
    if (!number || *number <= 1) continue;
    std::error_code code;
    const fs::path directory = fs::read_symlink(fs::path("/proc") / name / "cwd", code);
    if (code || !is_postmaster_of(static_cast<int>(*number), directory)) continue;
    clusters.push_back(look_at(static_cast<int>(*number), directory));
  }
  return clusters;
}

}  // namespace barman::restore
