#include "cli/worker_count.h"

#include <algorithm>
#include <thread>

namespace barman::cli {
namespace {

constexpr std::size_t kMinimumWorkers = 2;
constexpr std::size_t kDefaultMaximumWorkers = 4;

}  // namespace

std::size_t worker_count(const ParsedArguments& arguments, const config::ServerConfig& config) {
  const std::int64_t jobs = arguments.find_integer("jobs").value_or(config.parallel_jobs);
  // One job is the default of an option that was made for rsync; copying by several threads is
  // never worse.
  if (jobs > 1) return static_cast<std::size_t>(jobs);
  const std::size_t cores = std::thread::hardware_concurrency();
  return std::clamp(cores, kMinimumWorkers, kDefaultMaximumWorkers);
}

}  // namespace barman::cli
