#include "catalogue/running_work.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include <fmt/format.h>

#include "base/directory.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/log_components.h"
#include "base/text.h"

namespace barman::catalogue {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kWorkSuffix = ".work";
constexpr std::size_t kWorkFileSize = 1024;
constexpr std::size_t kMaxWord = 256;
constexpr std::string_view kWorkEnd = "end\n";

// 0 when there is no such process.
std::uint64_t start_of_process(pid_t pid) {
  const auto text = find_and_read_file(fmt::format("/proc/{}/stat", pid));
  if (!text) return 0;
  // The name of the program, in parentheses, may hold anything; the 20th word behind it counts.
  std::string_view rest = *text;
  rest.remove_prefix(std::min(rest.rfind(')') + 1, rest.size()));
  constexpr int kWordsBefore = 19;
  for (int word = 0; word < kWordsBefore; ++word) {
    rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
    rest.remove_prefix(std::min(rest.find(' '), rest.size()));
  }
  rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
  const auto number = parse_integer(rest.substr(0, rest.find(' ')));
  return number && *number > 0 ? static_cast<std::uint64_t>(*number) : 0;
}

std::string one_word(const std::string& text) {
  return replace_all(text.substr(0, kMaxWord), "\n", " ");
}

std::string_view take_line(std::string_view& rest) {
  const std::size_t end = rest.find('\n');
  const std::string_view line = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return line;
}

bool is_of_living_process(const RunningWork& work) {
  try {
    return work.pid > 0 && work.process_start != 0 &&
           start_of_process(work.pid) == work.process_start;
  } catch (const Error&) {  // It has ended while that was read.
    return false;
  }
}

}  // namespace

RunningWork work_of_this_process(std::string server, std::string task, std::string object) {
  return {.server = std::move(server),
          .task = std::move(task),
          .pid = ::getpid(),
          .process_start = start_of_process(::getpid()),
          .object = std::move(object),
          .phase = "beginning"};
}

fs::path work_path(const LockLocation& location, const RunningWork& work) {
  return location.directory /
         fmt::format(".{}-{}-{}{}", location.server_name, work.task, work.pid, kWorkSuffix);
}

std::string format_work(const RunningWork& work) {
  std::string text = fmt::format("{}\n{}\n{}\n{}\n{}\n{}\n{}\n{}\n{:.0f}\n{:.0f}\n",
                                 one_word(work.server), one_word(work.task), work.pid,
                                 work.process_start, one_word(work.object), one_word(work.phase),
                                 work.done_bytes, work.total_bytes, work.phase_began, work.updated);
  // What a reader gets of two versions has the same length, and not the same sum.
  std::uint64_t sum = 0;
  for (const char c : text) sum = sum * 31 + static_cast<unsigned char>(c);
  text += fmt::format("{}\n{}", sum, kWorkEnd);
  text.resize(std::max(text.size(), kWorkFileSize), ' ');
  return text;
}

std::optional<RunningWork> parse_work(std::string_view text) {
  std::string_view rest = text;
  RunningWork work;
  work.server = take_line(rest);
  work.task = take_line(rest);
  const auto pid = parse_integer(take_line(rest));
  const auto start = parse_integer(take_line(rest));
  work.object = take_line(rest);
  work.phase = take_line(rest);
  std::array<std::int64_t, 4> numbers = {};
  for (std::int64_t& number : numbers) {
    const auto value = parse_integer(take_line(rest));
    if (!value || *value < 0) return std::nullopt;
    number = *value;
  }
  std::uint64_t sum = 0;
  for (const char c : text.substr(0, text.size() - rest.size())) {
    sum = sum * 31 + static_cast<unsigned char>(c);
  }
  if (take_line(rest) != fmt::to_string(sum) || !rest.starts_with(kWorkEnd)) return std::nullopt;
  if (!pid || !start || *pid <= 0 || *start < 0) return std::nullopt;
  work.pid = static_cast<pid_t>(*pid);
  work.process_start = static_cast<std::uint64_t>(*start);
  work.done_bytes = static_cast<std::uint64_t>(numbers[0]);
  work.total_bytes = static_cast<std::uint64_t>(numbers[1]);
  work.phase_began = static_cast<double>(numbers[2]);
  work.updated = static_cast<double>(numbers[3]);
  return work;
}

std::vector<RunningWork> list_running_work(const LockLocation& location) {
  std::vector<RunningWork> running;
  const std::string prefix = "." + location.server_name + "-";
  for (const std::string& name : list_directory(location.directory)) {
    if (!name.starts_with(prefix) || !name.ends_with(kWorkSuffix)) continue;
    // It is for people to look at: what cannot be read is not shown.
    try {
      const auto text = find_and_read_file(location.directory / name, 4 * kWorkFileSize);
      auto work = text ? parse_work(*text) : std::nullopt;
      const bool is_wanted =
          work && work->server == location.server_name && is_of_living_process(*work);
      if (is_wanted) running.push_back(*std::move(work));
    } catch (const Error& error) {
      log::debug(log::kCatalogueComponent, "{}", error.describe());
    }
  }
  std::sort(running.begin(), running.end(),
            [](const RunningWork& a, const RunningWork& b) { return a.pid < b.pid; });
  return running;
}

std::string describe_work(const RunningWork& work, double now) {
  const auto done = static_cast<double>(work.done_bytes);
  const auto total = static_cast<double>(work.total_bytes);
  const double took = work.updated - work.phase_began;
  std::string text = work.phase;
  if (work.done_bytes == 0) {
    const double waits = now - work.phase_began;
    return waits < 1 ? text : text + fmt::format(" (for {})", human_duration(std::floor(waits)));
  }
  if (work.total_bytes > 0) {
    // The total is an estimate.
    text += fmt::format(": {:.0f} % of {}", std::min(100.0, done * 100 / total),
                        human_size(static_cast<std::int64_t>(work.total_bytes)));
  } else {
    text += ": " + human_size(static_cast<std::int64_t>(work.done_bytes));
  }
  if (took < 1) return text;
  text += fmt::format(", {}/s", human_size(static_cast<std::int64_t>(done / took)));
  if (total > done) {
    text += fmt::format(", about {} left", human_duration(std::ceil((total - done) * took / done)));
  }
  return text;
}

}  // namespace barman::catalogue
