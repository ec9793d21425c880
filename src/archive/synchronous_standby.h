// Whether a server waits for our WAL receiver at commit (contract backup-and-wal.md 10.3).
#pragma once

#include <string_view>

namespace barman::archive {

// `setting` is the value of synchronous_standby_names: "s1, s2", "FIRST 2 (s1, *)", "ANY 1 (…)".
bool is_synchronous_standby(std::string_view setting, std::string_view application_name);

}  // namespace barman::archive
