#include "support/wal_evidence.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "support/temp_dir.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kLogBytes = std::uint64_t{1} << 32;

std::uint64_t parse_position(const std::string& lsn) {
  const std::vector<std::string> halves = split(lsn, '/');
  if (halves.size() != 2) throw Error(ErrorKind::internal, "not an LSN: " + lsn);
  return std::stoull(halves[0], nullptr, 16) << 32 | std::stoull(halves[1], nullptr, 16);
}

std::string segment_on_timeline_1(std::uint64_t number, std::uint64_t segment_bytes) {
  const std::uint64_t per_log = kLogBytes / segment_bytes;
  return fmt::format("{:08X}{:08X}{:08X}", 1, number / per_log, number % per_log);
}

// Where the catalogue has it, best place first; empty when nowhere.
fs::path find_wal(const fs::path& directory, const std::string& name) {
  const std::vector<fs::path> places{directory / "wals" / name.substr(0, 16) / name,
                                     directory / "streaming" / name,
                                     directory / "streaming" / (name + ".partial")};
  const auto found =
      std::ranges::find_if(places, [](const fs::path& place) { return fs::exists(place); });
  return found == places.end() ? fs::path() : *found;
}

}  // namespace

std::string acknowledged_lsn(const PostgresServer& postgres, const std::string& slot) {
  return postgres.value(
      fmt::format("SELECT restart_lsn FROM pg_replication_slots WHERE slot_name = '{}'", slot));
}

std::string wal_differences(const BarmanHome& barman, const std::string& server,
                            const fs::path& pg_wal, const WalRange& range) {
  const std::uint64_t begin = parse_position(range.begin) / range.segment_bytes;
  const std::uint64_t end = parse_position(range.end);
  std::string differences;
  for (std::uint64_t number = begin; number * range.segment_bytes < end; ++number) {
    const std::string name = segment_on_timeline_1(number, range.segment_bytes);
    const std::uint64_t size_bytes =
        std::min(range.segment_bytes, end - number * range.segment_bytes);
    if (!fs::exists(pg_wal / name)) {
      differences += name + ": PostgreSQL has not kept it, raise wal_keep_size\n";
      continue;
    }
    const fs::path stored = find_wal(barman.server_directory(server), name);
    if (stored.empty()) {
      differences += name + ": not in the catalogue\n";
      continue;
    }
    const std::string expected = read_text(pg_wal / name).substr(0, size_bytes);
    const std::string found = read_text(stored).substr(0, size_bytes);
    if (found != expected) {
      const auto place = std::ranges::mismatch(expected, found).in1 - expected.begin();
      differences += fmt::format("{}: differs at byte {} of {} acknowledged\n", stored.string(),
                                 place, size_bytes);
    }
  }
  return differences;
}

std::multimap<std::string, fs::path> archived_wals(const BarmanHome& barman,
                                                   const std::string& server) {
  std::multimap<std::string, fs::path> found;
  const fs::path wals = barman.server_directory(server) / "wals";
  if (!fs::exists(wals)) return found;
  for (const auto& entry : fs::recursive_directory_iterator(wals)) {
    const std::string name = entry.path().filename().string();
    if (entry.is_regular_file() && !name.ends_with("xlog.db")) found.emplace(name, entry.path());
  }
  return found;
}

std::vector<std::string> indexed_wals(const BarmanHome& barman, const std::string& server) {
  const fs::path index = barman.server_directory(server) / "wals" / (server + "-xlog.db");
  std::vector<std::string> names;
  if (!fs::exists(index)) return names;
  for (const std::string& line : split(read_text(index), '\n')) {
    if (!line.empty()) names.push_back(line.substr(0, line.find('\t')));
  }
  return names;
}

}  // namespace barman::test
