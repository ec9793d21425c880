// The program runs as the configured user, whoever starts it.
#pragma once

#include <string>

namespace barman::cli {

// Does nothing for that user; as root becomes that user (groups, gid, uid, HOME). Throws
// config::StartupError for anybody else. Call before the log is opened.
void switch_user(const std::string& user);

// The home directory of the invoking user: HOME, else that of the password database.
std::string home_directory();

}  // namespace barman::cli
