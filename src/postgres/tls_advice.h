// What a failed TLS handshake, or one that was not to be, is about, and what the user does next:
// known by the phrases of libpq 15 to 18 and PostgreSQL 13 to 18, as connect_problem.h knows the
// others.
#pragma once

#include <string>
#include <vector>

#include "postgres/connect_problem.h"

namespace barman::postgres {

enum class TlsSide { here, configuration, psql };

struct TlsAdvice {
  // Where the lines belong.
  TlsSide side = TlsSide::here;
  std::string cause;
  // To paste, where that is possible.
  std::vector<std::string> lines;
  // For the hint of a message: one or two sentences.
  std::string next_step;
};
TlsAdvice tls_advice(const ConnectProblem& problem);

}  // namespace barman::postgres
