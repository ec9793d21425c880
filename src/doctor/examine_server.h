// Looks at one server: what `check` finds wrong, and what cures depend on. Changes nothing.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "check/check_server.h"
#include "doctor/site.h"
#include "server/server.h"

namespace barman::doctor {

struct Examination {
  std::vector<check::CheckResult> failures;
  Site site;
};
// `limit` is that of `check`; a few questions more follow when PostgreSQL answers.
Examination examine_server(const server::Server& server, std::chrono::seconds limit);

// What the configuration and this host tell; opens no session.
Site describe_site(const server::Server& server);

// The address of this host from which it would reach that one; "" when there is no way, or a
// socket. Nothing is sent.
std::string own_address(const std::string& host, const std::string& port);

}  // namespace barman::doctor
