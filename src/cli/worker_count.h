// How many threads commands that copy files use.
#pragma once

#include <cstddef>

#include "cli/command_context.h"
#include "config/server_config.h"

namespace barman::cli {

// --jobs or parallel_jobs; without them as many as there are cores, two to four.
std::size_t worker_count(const ParsedArguments& arguments, const config::ServerConfig& config);

}  // namespace barman::cli
