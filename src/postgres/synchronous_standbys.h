// Whom commits of a server wait for. The grammar of synchronous_standby_names is that of
// src/backend/replication/syncrep_scanner.l and syncrep_gram.y.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace barman::postgres {

// The names in "s1, s2", "2 (s1, \"s 2\")", "FIRST 2 (s1, *)" or "ANY 1 (…)", without quotes, in
// their order. What is not in the grammar, which no server accepts, gives the names before it.
std::vector<std::string> synchronous_standbys(std::string_view setting);

// Whether a client of this application_name is among them: compared without regard to case, and "*"
// is everybody.
bool is_synchronous_standby(std::string_view setting, std::string_view application_name);

}  // namespace barman::postgres
