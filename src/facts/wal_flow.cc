#include "facts/wal_flow.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "base/directory.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/log_components.h"
#include "base/text.h"
#include "wal/wal_file_name.h"
#include "wal_archive/wal_archive.h"

namespace barman::facts {
namespace {

namespace fs = std::filesystem;

// Files of one group appear within a moment.
constexpr double kSameMoment = 0.005;
constexpr double kIdleAfterSeconds = 2;
constexpr std::uint64_t kLongQueue = 10;
constexpr double kStalledAfterSeconds = 600;

double seconds_of(const timespec& time) {
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

std::optional<double> earlier(const std::optional<double>& a, const std::optional<double>& b) {
  if (!a || !b) return a ? a : b;
  return std::min(*a, *b);
}

// Names that are still being written do not count. A missing directory is empty.
WalQueue find_queue(const fs::path& directory) {
  WalQueue queue;
  std::vector<std::string> names;
  try {
    names = list_directory(directory);
  } catch (const SystemError& error) {  // Not to know is not "empty": it is told.
    queue.problem = error.describe();
  }
  for (const std::string& name : names) {
    const auto parsed = wal::parse_wal_file_name(name);
    if (!parsed || parsed->kind == wal::WalFileKind::partial) continue;
    struct stat status = {};
    if (::lstat((directory / name).c_str(), &status) != 0) {
      // What cannot be looked at waits, too.
      if (errno != ENOENT) ++queue.files;
      continue;
    }
    ++queue.files;
    queue.size_bytes += static_cast<std::uint64_t>(status.st_size);
    // The file got its name then.
    queue.waits_since = earlier(queue.waits_since, seconds_of(status.st_ctim));
  }
  return queue;
}

void look_at_archive(const server::Server& server, WalFlow& flow) {
  const wal_archive::WalArchive archive(server);
  const bool is_in_bucket = archive.is_in_bucket();
  std::vector<double> times;
  for (const std::string& name : archive.list_newest_names()) {
    if (wal::is_segment_name(name)) {
      flow.archived_name = std::max(flow.archived_name.value_or(""), name);
    }
    // To ask a store for each of them would take long.
    if (is_in_bucket) continue;
    struct stat status = {};
    const fs::path path = archive.path_of(name);
    if (::stat(path.c_str(), &status) != 0) continue;
    times.push_back(seconds_of(status.st_ctim));
  }
  if (is_in_bucket && flow.archived_name) {
    // The line of the last one was written then.
    const auto index = archive.find_index_status();
    if (index) flow.archived_at = seconds_of(index->st_mtim);
  }
  if (!times.empty()) flow.archived_at = *std::max_element(times.begin(), times.end());
  flow.archived_per_second = rate_of_archiving(std::move(times));
}

std::string lsn_text(const std::optional<wal::Lsn>& lsn) {
  return lsn ? wal::format_lsn(*lsn) : "unknown";
}

}  // namespace

std::optional<double> rate_of_archiving(std::vector<double> times) {
  if (times.empty()) return std::nullopt;
  std::sort(times.begin(), times.end());
  double busy = 0;
  std::size_t files = 0;
  for (std::size_t i = 1; i < times.size(); ++i) {
    busy += std::min(times[i] - times[i - 1], kIdleAfterSeconds);
    // Nobody knows how long the first ones took.
    if (times[i] > times.front() + kSameMoment) ++files;
  }
  if (files == 0 || busy < kSameMoment) return std::nullopt;
  return static_cast<double>(files) / busy;
}

WalQueue WalFlow::queue() const {
  return {.files = streaming.files + incoming.files,
          .size_bytes = streaming.size_bytes + incoming.size_bytes,
          .waits_since = earlier(streaming.waits_since, incoming.waits_since),
          .problem = streaming.problem.empty() ? incoming.problem : streaming.problem};
}

std::optional<double> WalFlow::seconds_to_drain() const {
  if (queue().files == 0) return 0.0;
  if (!archived_per_second) return std::nullopt;
  return static_cast<double>(queue().files) / *archived_per_second;
}

WalFlow gather_wal_flow(const server::Server& server, std::optional<StreamLook> stream) {
  const config::ServerConfig& config = server.config();
  WalFlow flow;
  if (config.streaming_archiver) {
    flow.stream = std::move(stream);
    flow.is_receiver_running = find_receiver(server).is_running;
    flow.streaming = find_queue(server.locations().streaming_directory);
  }
  if (config.archiver) flow.incoming = find_queue(server.locations().incoming_directory);
  // It only tells less then.
  try {
    look_at_archive(server, flow);
  } catch (const Error& error) {
    log::debug(log::kServerComponent, "server '{}': {}", server.name(), error.describe());
  }
  return flow;
}

bool is_queue_long(const WalFlow& flow) { return flow.queue().files >= kLongQueue; }

bool is_queue_stalled(const WalFlow& flow, double now) {
  const auto is_long_ago = [&](const std::optional<double>& time) {
    return time && now - *time > kStalledAfterSeconds;
  };
  // A queue that has just come, after hours without WAL, waits for the next archiver only.
  return is_queue_long(flow) && is_long_ago(flow.archived_at) &&
         is_long_ago(flow.queue().waits_since);
}

std::string describe_queue(const WalFlow& flow) {
  const WalQueue queue = flow.queue();
  if (!queue.problem.empty()) return "unknown: " + queue.problem;
  std::string text = fmt::format("{} segment{}", queue.files, queue.files == 1 ? "" : "s");
  if (queue.files == 0) return text;
  text += fmt::format(" ({})", human_size(static_cast<std::int64_t>(queue.size_bytes)));
  if (const auto seconds = flow.seconds_to_drain()) {
    text += fmt::format(", archived in about {} ({:.1f} segments/s)", human_duration(*seconds),
                        *flow.archived_per_second);
  }
  return text;
}

std::string describe_positions(const WalFlow& flow) {
  std::string text;
  if (flow.stream && (flow.stream->written || flow.stream->flushed)) {
    text = fmt::format("received up to {}, flushed up to {}", lsn_text(flow.stream->written),
                       lsn_text(flow.stream->flushed));
    if (flow.stream->current && flow.stream->flushed) {
      const auto behind =
          static_cast<std::int64_t>(flow.stream->current->value - flow.stream->flushed->value);
      text += fmt::format(" ({} behind)", human_size(std::max<std::int64_t>(behind, 0)));
    }
    text += ", ";
  }
  return text + (flow.archived_name ? "archived up to " + *flow.archived_name : "nothing archived");
}

std::string describe_receiver(const WalFlow& flow) {
  if (!flow.is_receiver_running) return {};
  if (!*flow.is_receiver_running) return "not running";
  if (!flow.stream) return "running";
  return flow.stream->is_streaming ? "running, streaming" : "running, not streaming";
}

}  // namespace barman::facts
