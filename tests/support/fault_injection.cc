#include "support/fault_injection.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <string_view>
#include <utility>

#include "base/text.h"
#include "support/temp_dir.h"

namespace barman::test {
namespace {

CommandRequest under_strace(CommandRequest request, std::vector<std::string> strace) {
  strace.insert(strace.end(), request.argv.begin(), request.argv.end());
  request.argv = std::move(strace);
  // The leak checker is a tracer itself, and there can be only one.
  request.environment["ASAN_OPTIONS"] = "detect_leaks=0";
  return request;
}

}  // namespace

CommandRequest with_fault(CommandRequest request, const Fault& fault) {
  return under_strace(
      std::move(request),
      {"strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=" + fault.system_call, "-e",
       fmt::format("inject={}:{}:when={}", fault.system_call, fault.action, fault.when)});
}

CommandRequest with_delay(CommandRequest request, const std::string& system_calls,
                          std::chrono::milliseconds delay) {
  return under_strace(
      std::move(request),
      {"strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=" + system_calls, "-e",
       fmt::format("inject={}:delay_enter={}", system_calls, delay.count() * 1000)});
}

int count_calls(CommandRequest request, const std::string& system_call) {
  const TempDir place;
  const std::filesystem::path trace = place.path() / "trace";
  run_checked(under_strace(std::move(request), {"strace", "-f", "-qq", "-o", trace.string(), "-e",
                                                "trace=" + system_call}));
  std::map<std::string, int> calls;  // by thread
  for (const std::string& line : split(read_text(trace), '\n')) {
    const std::size_t space = line.find(' ');
    if (space == std::string::npos) continue;
    if (line.find(system_call + "(", space) != std::string::npos) ++calls[line.substr(0, space)];
  }
  int most = 0;
  for (const auto& [thread, count] : calls) most = std::max(most, count);
  return most;
}

std::vector<int> choose_points(int last, int wanted) {
  const char* sweep = std::getenv("BARMAN_SWEEP");
  const bool is_full = sweep != nullptr && std::string_view(sweep) == "full";
  std::vector<int> points;
  if (is_full || last <= wanted) {
    for (int n = 1; n <= last; ++n) points.push_back(n);
    return points;
  }
  for (int i = 0; i < wanted; ++i) points.push_back(1 + i * (last - 1) / std::max(1, wanted - 1));
  return points;
}

}  // namespace barman::test
