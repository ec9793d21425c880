// Cures of a session with PostgreSQL that could not be opened. Internal to doctor/.
#pragma once

#include <vector>

#include "doctor/cure.h"
#include "doctor/site.h"
#include "postgres/connect_problem.h"

namespace barman::doctor {

std::vector<Cure> connection_cures(const postgres::ConnectProblem& problem, const Site& site);

}  // namespace barman::doctor
