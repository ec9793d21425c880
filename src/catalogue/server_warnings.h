// `.server-warnings` in the directory of a backup: what PostgreSQL warned of while it sent that
// backup, a line each, in the server's language. It names what the server has left out, such as a
// directory behind a symbolic link in the data directory, and a manifest does not know of that.
//
// The directory goes with the backup, into exports and to passive nodes; Barman passes over it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace barman::catalogue {

// Of base/<ID>, which must exist. Nothing for no warnings. What goes wrong is logged: they were
// told on the terminal, too.
void keep_server_warnings(const std::filesystem::path& base_directory,
                          const std::vector<std::string>& warnings);
// At most kMostServerWarnings lines; none when there is no file.
inline constexpr std::size_t kMostServerWarnings = 100;
std::vector<std::string> list_server_warnings(const std::filesystem::path& base_directory);

}  // namespace barman::catalogue
