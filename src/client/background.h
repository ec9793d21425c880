// What a client program leaves running behind itself, so that PostgreSQL does not wait for it.
#pragma once

#include <functional>

namespace barman::client {

// Runs `work` in a process of its own session, with no descriptor of ours, "/" as its directory and
// no output; variables of the environment that name files of credentials and certificates mean the
// same there. Returns at once; what goes wrong in there is told to nobody.
void run_in_background(const std::function<void()>& work);

}  // namespace barman::client
