// What `doctor` says, as text and as JSON.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "doctor/apply_cures.h"
#include "doctor/site.h"
#include "output/reporter.h"

namespace barman::output {

// Grouped by where it is done, in order; what has been applied is told as done.
void write_cures(Reporter& reporter, const doctor::Site& site,
                 const std::vector<doctor::AppliedCure>& cures);

// "in psql, as superuser of pg"
std::string place_text(doctor::CurePlace place, const doctor::Site& site);
// Its word in JSON.
std::string_view place_key(doctor::CurePlace place);

}  // namespace barman::output
