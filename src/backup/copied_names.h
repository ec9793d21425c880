// Which files of a data directory are part of a backup that copies files. What is left out is made
// anew by PostgreSQL when it starts, belongs to the running server, or comes in another way: WAL by
// the archive, global/pg_control at the very end, backup_label from the server.
#pragma once

#include <string_view>

namespace barman::backup {

// Paths relative to the data directory. Of directories that are left out there is an empty one.
bool is_copied_from_data_directory(std::string_view path);
// Paths relative to the location of a tablespace, of which the server of this major version owns
// one directory: "PG_17_…".
bool is_copied_from_tablespace(std::string_view path, std::string_view major_version);

}  // namespace barman::backup
