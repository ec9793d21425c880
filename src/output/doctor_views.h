// What `doctor` says, as text and as JSON.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "doctor/apply_cures.h"
#include "doctor/site.h"
#include "output/reporter.h"

namespace barman::output {

struct DoctorFindings {
  doctor::Site site;
  std::vector<doctor::AppliedCure> cures;
  // No failures.
  std::vector<doctor::Cure> advice;
  bool is_in_use = true;  // active
};

// Grouped by where it is done, in order; what has been applied is told as done.
void write_findings(Reporter& reporter, const DoctorFindings& findings);

// Of several servers: a line each first, then the findings of those that are in use and have
// something. In JSON the findings of all.
void write_fleet(Reporter& reporter, const std::vector<DoctorFindings>& servers);

// "in psql, as superuser of pg"
std::string place_text(doctor::CurePlace place, const doctor::Site& site);
// Its word in JSON.
std::string_view place_key(doctor::CurePlace place);

}  // namespace barman::output
