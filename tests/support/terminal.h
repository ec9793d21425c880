// Commands on a pseudo-terminal (script(1) of util-linux), as a person runs them.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "support/command.h"

namespace barman::test {

struct TerminalOptions {
  int width = 80;
  // Besides that of the request. TERM is xterm where nothing else is said.
  std::map<std::string, std::string> environment = {};
};

// What both outputs show together, without carriage returns before line ends.
CommandResult run_on_terminal(CommandRequest request, const TerminalOptions& options = {});

}  // namespace barman::test
