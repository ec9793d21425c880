// From failed checks to cures. Pure: the same findings and the same site give the same cures.
//
// Each label of `check` has its line in the table of find_cures.cc; a label that is not there gets
// the hint of the check and the log. What cannot be judged before PostgreSQL is reached is left
// out while it is not.
#pragma once

#include <string_view>
#include <vector>

#include "check/check_server.h"
#include "doctor/cure.h"
#include "doctor/site.h"

namespace barman::doctor {

// In the order of CurePlace; the same lines in the same place once, for all checks that ask for
// them.
std::vector<Cure> find_cures(const std::vector<check::CheckResult>& failures, const Site& site);

// What no check asks for and is worth having: it makes nothing FAILED, and no exit code.
std::vector<Cure> find_advice(const Site& site);

// Whether the table knows the label, suffixes like " (WAL streaming)" aside.
bool has_cures(std::string_view label);
// All labels of the table.
std::vector<std::string_view> known_labels();

// For psql, of all cures (and advice) that are done there; begins with the roles when PostgreSQL
// has not let us in. May be run again.
std::vector<std::string> sql_script(const std::vector<Cure>& cures, const Site& site);

}  // namespace barman::doctor
