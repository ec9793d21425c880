// TCP ports of tests that run at the same time.
#pragma once

#include <utility>

#include "base/fd.h"

namespace barman::test {

// A port of 127.0.0.1 that no other test takes while the returned lock is held, also when nobody
// listens on it.
std::pair<int, Fd> reserve_port();

// Whether somebody listens on this port of 127.0.0.1.
bool is_listening(int port);

}  // namespace barman::test
