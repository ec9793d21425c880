// Which files of a data directory are part of a backup that copies files. What is left out is made
// anew by PostgreSQL when it starts, belongs to the running server, or comes in another way: WAL by
// the archive, global/pg_control at the very end, backup_label from the server. The contents of
// directories that PostgreSQL empties are left out at any depth, as in a streamed backup.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "catalogue/backup_info.h"

namespace barman::backup {

// Paths relative to the data directory. Of directories that are left out there is an empty one.
bool is_copied_from_data_directory(std::string_view path);
// The same, without tablespaces whose locations lie in it.
std::function<bool(std::string_view path)> copied_from_data_directory(
    std::vector<std::string> tablespaces_inside);

enum class FilesLie { here, elsewhere };
// The locations below the data directory, relative to it. Links are followed where files lie here.
std::vector<std::string> list_tablespaces_inside(
    const std::filesystem::path& data_directory,
    const std::vector<catalogue::Tablespace>& tablespaces, FilesLie files_lie);
// Paths relative to the location of a tablespace, of which the server of this major version owns
// one directory: "PG_17_…".
bool is_copied_from_tablespace(std::string_view path, std::string_view major_version);

}  // namespace barman::backup
