// The life of one run of `barman`: command line, configuration, user, log, writers, one command,
// exit code (contract cli.md 1.3-1.5, configuration.md 2).
#pragma once

namespace barman::cli {

int run(int argc, char** argv);

}  // namespace barman::cli
