#include "restore/gather_facts.h"

#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <system_error>

#include <fmt/format.h>

#include "archive/read_branches.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"
#include "postgres/control_file.h"
#include "wal/wal_file_name.h"

namespace barman::restore {
namespace fs = std::filesystem;

using catalogue::WalIndex;
using catalogue::WalIndexLine;

namespace {

// File systems that share blocks between files.
constexpr decltype(statfs::f_type) kBtrfsMagic = 0x9123683E;
constexpr decltype(statfs::f_type) kBcachefsMagic = 0x0CA451A4E;

struct stat status_of(const fs::path& path) {
  struct stat status = {};
  if (::stat(path.c_str(), &status) != 0) {
    throw_errno(fmt::format("cannot look at \"{}\"", path.string()));
  }
  return status;
}

bool has_visible_entries(const fs::path& directory) {
  for (const fs::directory_entry& entry : fs::directory_iterator(directory)) {
    if (entry.path().filename().string().front() != '.') return true;
  }
  return false;
}

// The first line of postmaster.pid, when that process lives.
std::optional<int> find_running_postmaster(const fs::path& directory) {
  const std::optional<std::string> content = find_and_read_file(directory / "postmaster.pid");
  if (!content) return std::nullopt;
  const std::optional<std::int64_t> number =
      parse_integer(strip(std::string_view(*content).substr(0, content->find('\n'))));
  if (!number) return std::nullopt;
  // A single-user server writes its pid negative.
  const auto pid = static_cast<pid_t>(*number < 0 ? -*number : *number);
  if (pid <= 1 || (::kill(pid, 0) != 0 && errno == ESRCH)) return std::nullopt;
  return pid;
}

fs::path nearest_existing(fs::path path) {
  std::error_code code;
  while (!fs::exists(path, code) && path.has_relative_path()) path = path.parent_path();
  return path;
}

bool holds_tablespace_only(const fs::path& directory) {
  std::error_code code;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory, code)) {
    if (!entry.path().filename().string().starts_with("PG_")) return false;
  }
  return true;
}

std::optional<postgres::SystemId> find_system_id(const fs::path& directory) {
  try {
    return postgres::read_control_file(directory).system_id;
  } catch (const Error&) {  // Absent or damaged: then it says nothing.
    return std::nullopt;
  }
}

DirectoryFacts inspect(const std::string& text, std::uint64_t catalogue_device) {
  DirectoryFacts facts;
  std::error_code code;
  fs::path path = fs::path(text).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();
  facts.resolved = fs::weakly_canonical(path, code);
  if (code) facts.resolved = path;
  facts.exists = fs::exists(path, code);
  facts.is_directory = fs::is_directory(path, code);
  const fs::path existing = nearest_existing(facts.resolved);
  facts.is_writable = ::access(existing.c_str(), W_OK | X_OK) == 0;
  if (facts.is_directory) {
    facts.is_empty = !has_visible_entries(path);
    facts.running_postmaster = find_running_postmaster(path);
    facts.is_data_directory = fs::exists(path / "PG_VERSION", code);
    facts.interrupted_restore = find_restore_marker(path);
    facts.holds_tablespace_only = holds_tablespace_only(path);
    facts.system_id = find_system_id(path);
  }
  struct statfs disk = {};
  if (::statfs(existing.c_str(), &disk) != 0) {
    throw_errno(fmt::format("cannot look at the file system of \"{}\"", existing.string()));
  }
  facts.device = status_of(existing).st_dev;
  facts.available_bytes =
      static_cast<std::uint64_t>(disk.f_bavail) * static_cast<std::uint64_t>(disk.f_bsize);
  facts.shares_blocks_with_catalogue =
      facts.device == catalogue_device &&
      (disk.f_type == kBtrfsMagic || disk.f_type == kBcachefsMagic);
  return facts;
}

bool is_wanted(const WalIndexLine& line, std::uint64_t first_number, wal::SegmentSize size) {
  const std::optional<wal::WalFileName> name = wal::parse_wal_file_name(line.name);
  if (!name) return false;
  if (name->kind == wal::WalFileKind::history) return true;
  const std::optional<wal::Segment> segment = wal::parse_segment_name(name->segment(), size);
  return segment && segment->number >= first_number;
}

void read_wal(const server::Server& server, RestoreFacts& facts) {
  const wal::SegmentSize size = facts.backup.xlog_segment_size;
  const std::optional<wal::Segment> begin =
      wal::parse_segment_name(facts.backup.begin_wal.value_or(""), size);
  const std::uint64_t first_number = begin ? begin->number : 0;
  const WalIndex index = WalIndex::open(server.locations());
  index.for_each([&](const WalIndexLine& line) {
    if (!is_wanted(line, first_number, size)) return catalogue::Visit::proceed;
    facts.wal.push_back(line.entry());
    // What a history file must be is seen when it is read, and only of one that is needed. Of
    // others PostgreSQL wants the name: they are copied as they are.
    if (wal::parse_archive_name(line.name).kind == wal::ArchiveName::Kind::history) {
      const fs::path path = server.locations().wals_directory / line.name;
      struct stat status = {};
      if (::stat(path.c_str(), &status) == 0) {
        facts.wal.back().size_bytes = static_cast<std::uint64_t>(status.st_size);
      }
    }
    return catalogue::Visit::proceed;
  });
}

void read_received(const fs::path& directory, RestoreFacts& facts) {
  std::error_code code;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory, code)) {
    if (!wal::parse_wal_file_name(entry.path().filename().string())) continue;
    std::error_code size_code;
    const std::uintmax_t size_bytes = entry.file_size(size_code);
    // An empty partial file only tells the receiver where to go on.
    if (size_code || size_bytes == 0) continue;
    facts.received.push_back({.path = entry.path(), .size_bytes = size_bytes});
  }
}

double rate_at_backup(const content::BackupChain& chain) {
  std::int64_t largest = 0;
  double rate = 0;
  for (const content::ChainMember& member : chain.members()) {
    const std::int64_t size = member.info.size.value_or(0);
    const double seconds = member.info.copy_stat("copy_time").value_or(0);
    if (size <= largest || seconds <= 0) continue;
    largest = size;
    rate = static_cast<double>(size) / seconds;
  }
  return rate;
}

// What the rate depends on. The backups that a chain is put together from are mostly alike.
std::string rate_kind_of(const content::BackupChain& chain, const RestoreRequest& request) {
  const catalogue::BackupInfo& backup = chain.backup();
  std::string kind = chain.is_incremental() ? "incremental" : "full";
  if (backup.compression) kind += fmt::format(",{}", *backup.compression);
  if (backup.encryption) kind += fmt::format(",{}", *backup.encryption);
  if (request.delta_restore) kind += ",in-place";
  return kind;
}

ExpectedRate expect_rate(const server::Server& server, const content::BackupChain& chain,
                         const RestoreRequest& request) {
  ExpectedRate rate = expected_rate(read_restore_rates(server.locations().backup_directory),
                                    rate_kind_of(chain, request));
  if (rate.source == RateSource::unknown) {
    const double rate_of_backup = rate_at_backup(chain);
    if (rate_of_backup > 0) {
      rate = {.bytes_per_second = rate_of_backup, .source = RateSource::backup, .restores = 0};
    }
  }
  const double limit = static_cast<double>(request.bandwidth_limit_kb) * 1024;  // 0 = none
  if (limit > 0 && (rate.bytes_per_second == 0 || rate.bytes_per_second > limit)) {
    rate = {.bytes_per_second = limit, .source = RateSource::bandwidth_limit, .restores = 0};
  }
  return rate;
}

// Every link is compared with its own manifest; what will be written is counted in the result.
void scan(const content::BackupChain& chain, const std::vector<TreeCopy>& trees,
          const Interrupt& interrupt, RestoreFacts& facts) {
  if (!chain.is_incremental()) {
    facts.scan = scan_trees(trees, chain.members().front().manifest.get(), interrupt);
    facts.stored_bytes = facts.scan.total_bytes;
    return;
  }
  std::vector<std::string> problems;
  for (const content::ChainMember& member : chain.members()) {
    const TreeScan scan = scan_member(member, interrupt);
    facts.stored_bytes += scan.total_bytes;
    for (const std::string& problem : scan.problems) {
      problems.push_back(fmt::format("{} in backup {}", problem, member.info.id.value));
    }
  }
  if (problems.empty() && chain.has_random_access()) {
    facts.scan = scan_trees(trees, nullptr, interrupt);
  } else {
    // What the files will have together is known only when all headers have been read.
    facts.scan.total_bytes = facts.stored_bytes;
  }
  facts.scan.problems = std::move(problems);
}

std::vector<fs::path> list_catalogue_directories(const catalogue::CatalogueLocations& locations) {
  std::vector<fs::path> directories;
  for (const fs::path& path :
       {locations.backup_directory, locations.basebackups_directory, locations.wals_directory,
        locations.incoming_directory, locations.streaming_directory, locations.errors_directory,
        locations.meta_directory}) {
    std::error_code code;
    fs::path resolved = fs::weakly_canonical(path, code);
    directories.push_back(code ? path : std::move(resolved));
  }
  return directories;
}

}  // namespace

RestoreFacts gather_facts(const server::Server& server, const content::BackupChain& chain,
                          const RestoreRequest& request, const Relocations& relocations) {
  const catalogue::Catalogue& catalogue = server.catalogue();
  const catalogue::BackupInfo& backup = chain.backup();
  RestoreFacts facts;
  facts.server_name = server.name();
  facts.barman_user = server.global().barman_user;
  facts.backup = backup;
  facts.content = chain.complete_trees();
  facts.rate = expect_rate(server, chain, request);
  // What a resumed restore finds there already tells nothing of the next.
  if (!request.resume) facts.rate_kind = rate_kind_of(chain, request);
  facts.manifest_path = catalogue.data_directory(backup.id) / "backup_manifest";
  facts.has_mixed_checksums = chain.has_mixed_checksums();
  if (chain.is_incremental()) {
    for (const content::ChainMember& member : chain.members()) {
      facts.chain.push_back(member.info.id);
    }
    if (!chain.has_random_access()) {
      facts.passed_through.assign(chain.members().begin() + 1, chain.members().end());
    }
  }
  const std::uint64_t device = status_of(catalogue.data_directory(backup.id)).st_dev;
  facts.destination = inspect(request.destination, device);
  for (const catalogue::Tablespace& tablespace : backup.tablespaces) {
    facts.tablespace_targets[tablespace.name] =
        inspect(location_of(tablespace, relocations), device);
  }
  if (request.staging_wal_directory && !request.get_wal) {
    if (!fs::path(*request.staging_wal_directory).is_absolute()) {
      throw Error(ErrorKind::usage,
                  fmt::format("The staging WAL directory '{}' is not an absolute path",
                              *request.staging_wal_directory),
                  "Give a path that begins with a slash.");
    }
    facts.staging_wal = inspect(*request.staging_wal_directory, device);
  }
  facts.wals_directory = server.locations().wals_directory;
  facts.wal_coding = archive::WalCoding(server.config());
  facts.streaming_directory = server.locations().streaming_directory;
  facts.timelines = archive::read_branches(server, backup.xlog_segment_size);
  if (!request.get_wal) read_wal(server, facts);
  if (!request.get_wal) {
    read_received(server.locations().streaming_directory, facts);
    read_received(server.locations().incoming_directory, facts);
  }
  for (const ReceivedWal& file : facts.received) {
    const auto name = wal::parse_wal_file_name(file.path.filename().string());
    if (!name || name->kind == wal::WalFileKind::history) continue;
    facts.timelines.last_segments.try_emplace(name->timeline, name->segment());
  }
  facts.catalogue_directories = list_catalogue_directories(server.locations());
  scan(chain, list_trees(facts, request.destination, relocations), server.interrupt(), facts);
  return facts;
}

void verify_wal_files(const RestorePlan& plan) {
  for (const WalFileCopy& file : plan.wal.files) {
    if (!file.moves_to.empty()) continue;
    struct stat status = {};
    if (::stat(file.source.c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
        static_cast<std::uint64_t>(status.st_size) == file.size_bytes) {
      continue;
    }
    throw Error(
        ErrorKind::corrupt,
        fmt::format("archived WAL file \"{}\" is missing, or its size is not the {} bytes that the "
                    "index says",
                    file.source.string(), file.size_bytes),
        fmt::format("Put the file in place, or run 'barman rebuild-xlogdb {}'.", plan.server_name));
  }
}

}  // namespace barman::restore
