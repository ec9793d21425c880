#include "backup/outside_files.h"

#include <cstdint>
#include <filesystem>

#include <fmt/format.h>

#include "base/error.h"
#include "base/log.h"
#include "base/log_components.h"
#include "postgres/server_file.h"

namespace barman::backup {
namespace fs = std::filesystem;

namespace {

// A larger file is no configuration.
constexpr std::uint64_t kMaxFileBytes = std::uint64_t{4} << 20;

std::optional<std::string> name_beside(const fs::path& directory, const std::string& path) {
  const fs::path relative = fs::path(path).lexically_normal().lexically_relative(directory);
  if (relative.empty() || *relative.begin() == "..") return std::nullopt;
  return relative.string();
}

}  // namespace

void tell_missing(const OutsideFile& file) {
  if (!file.is_optional()) {
    throw Error(ErrorKind::not_found, fmt::format("there is no file \"{}\"", file.path),
                fmt::format("Correct {} in the settings of PostgreSQL.", file.setting));
  }
  log::warning(log::kBackupComponent, "there is no \"{}\"", file.path);
}

std::vector<OutsideFile> list_outside_files(const postgres::ServerSettings& settings) {
  std::vector<OutsideFile> files;
  if (!settings.data_directory) return files;
  const std::string inside = *settings.data_directory + "/";
  const auto add = [&](OutsideFile file) {
    if (!file.path.starts_with(inside)) files.push_back(std::move(file));
  };
  const auto add_named = [&](const char* setting, const std::optional<std::string>& path,
                             const char* name) {
    if (path) add({.path = *path, .name = name, .setting = setting});
  };
  const fs::path home = fs::path(settings.config_file.value_or("")).parent_path();
  for (const std::string& path : settings.included_files) {
    add({.path = path, .name = home.empty() ? std::nullopt : name_beside(home, path)});
  }
  add_named("config_file", settings.config_file, "postgresql.conf");
  add_named("hba_file", settings.hba_file, "pg_hba.conf");
  add_named("ident_file", settings.ident_file, "pg_ident.conf");
  return files;
}

FetchedConfiguration fetch_outside_files(postgres::Connection& connection,
                                         const std::vector<OutsideFile>& files) {
  FetchedConfiguration fetched;
  for (const OutsideFile& file : files) {
    std::optional<std::string> content;
    if (file.name && !fetched.refusal) {
      try {
        content = postgres::read_server_file(connection, file.path, kMaxFileBytes);
      } catch (const postgres::SqlError& error) {
        fetched.refusal = error.what();
      }
    }
    if (content && content->size() < kMaxFileBytes) {
      fetched.files.push_back({.name = *file.name, .content = std::move(*content)});
    } else {
      fetched.missing.push_back(file.path);
    }
  }
  return fetched;
}

}  // namespace barman::backup
