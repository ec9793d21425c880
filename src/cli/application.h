// The life of one run of `barman`: command line, configuration, user, log, writers, one command,
// exit code.
#pragma once

namespace barman::cli {

int run(int argc, char** argv);

}  // namespace barman::cli
