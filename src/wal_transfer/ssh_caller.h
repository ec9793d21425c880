// Who called this program, when it was through ssh.
#pragma once

#include <string>

namespace barman::wal_transfer {

// " (SSH host: 192.0.2.1)", or "" without ssh. Appended to every message of get-wal and put-wal.
std::string ssh_caller_text();

}  // namespace barman::wal_transfer
