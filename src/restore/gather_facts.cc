#include "restore/gather_facts.h"

#include <limits.h>
#include <netdb.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <system_error>

#include <fmt/format.h>

#include "base/directory.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"
#include "postgres/control_file.h"
#include "restore/inspect_places.h"
#include "restore/partial_copies.h"
#include "restore/remote_places.h"
#include "stored/backup_store.h"
#include "wal/wal_file_name.h"
#include "wal_archive/archive_bucket.h"
#include "wal_archive/read_branches.h"
#include "wal_archive/wal_archive.h"

namespace barman::restore {
namespace fs = std::filesystem;

using wal_archive::WalIndexLine;

namespace {

bool is_wanted(const WalIndexLine& line, std::uint64_t first_number, wal::SegmentSize size) {
  const std::optional<wal::WalFileName> name = wal::parse_wal_file_name(line.name);
  if (!name) return false;
  if (name->kind == wal::WalFileKind::history) return true;
  const std::optional<wal::Segment> segment = wal::parse_segment_name(name->segment(), size);
  return segment && segment->number >= first_number;
}

// They count as archived: what was committed in them would be missing without a word.
void add_unindexed(const wal_archive::WalArchive& archive, std::uint64_t first_number,
                   RestoreFacts& facts) {
  std::set<std::string, std::less<>> indexed;
  for (const wal_archive::WalIndexEntry& entry : facts.wal) indexed.insert(entry.name);
  const wal::SegmentSize size = facts.backup.xlog_segment_size;
  const auto entries = archive.list_unindexed(
      [&](std::string_view name) {
        const auto segment = wal::parse_segment_name(name, size);
        return segment && segment->number >= first_number;
      },
      [&](std::string_view name) { return indexed.contains(name); });
  for (const wal_archive::WalIndexEntry& entry : entries) {
    facts.wal.push_back(entry);
    facts.unindexed_wal.push_back(entry.name);
  }
}

void add_wal_reading(const server::Server& server, RestoreFacts& facts) {
  const wal::SegmentSize size = facts.backup.xlog_segment_size;
  const std::optional<wal::Segment> begin =
      wal::parse_segment_name(facts.backup.begin_wal.value_or(""), size);
  const std::uint64_t first_number = begin ? begin->number : 0;
  const wal_archive::WalArchive archive(server);
  archive.index().for_each([&](const WalIndexLine& line) {
    if (!is_wanted(line, first_number, size)) return wal_archive::Visit::proceed;
    facts.wal.push_back(line.entry());
    // What a history file must be is seen when it is read, and only of one that is needed. Of
    // others PostgreSQL wants the name: they are copied as they are.
    if (wal::parse_archive_name(line.name).kind == wal::ArchiveName::Kind::history) {
      if (const auto status = archive.find_status(line.name)) {
        facts.wal.back().size_bytes = static_cast<std::uint64_t>(status->st_size);
      }
    }
    return wal_archive::Visit::proceed;
  });
  add_unindexed(archive, first_number, facts);
}

void read_received(const fs::path& directory, RestoreFacts& facts) {
  std::vector<std::string> names;
  try {
    names = list_directory(directory);
  } catch (const SystemError& error) {  // Told with the plan.
    facts.unread_received.push_back(
        fmt::format("\"{}\": {}", directory.string(), errno_text(error.error_number())));
  }
  for (const std::string& name : names) {
    if (!wal::parse_wal_file_name(name)) continue;
    const fs::path path = directory / name;
    std::error_code code;
    const std::uintmax_t size_bytes = fs::file_size(path, code);
    if (code && code != std::errc::no_such_file_or_directory) {
      facts.unread_received.push_back(fmt::format("\"{}\": {}", path.string(), code.message()));
    }
    // An empty partial file only tells the receiver where to go on.
    if (code || size_bytes == 0) continue;
    facts.received.push_back({.path = path, .size_bytes = size_bytes});
  }
}

// What of the destination's own WAL is not its only copy.
void find_archived(const server::Server& server, RestoreFacts& facts) {
  const std::set<std::string, std::less<>> here(facts.destination.wal_names.begin(),
                                                facts.destination.wal_names.end());
  if (here.empty()) return;
  wal_archive::WalArchive(server).index().for_each([&](const WalIndexLine& line) {
    if (here.contains(line.name)) facts.archived_here.emplace(line.name);
    return wal_archive::Visit::proceed;
  });
  for (const fs::path& directory :
       {server.locations().streaming_directory, server.locations().incoming_directory}) {
    for (const std::string& name : here) {
      std::error_code code;
      const bool is_whole = !name.ends_with(".partial");
      if (is_whole && fs::file_size(directory / name, code) > 0 && !code) {
        facts.archived_here.insert(name);
      }
    }
  }
}

// An earlier restore has laid the receiver's unfinished segment there, perhaps.
void find_received_partials(const server::Server& server, RestoreFacts& facts) {
  constexpr std::string_view kPartial = ".partial";
  const fs::path own = facts.destination.wal_link.value_or(facts.destination.resolved / "pg_wal");
  for (const std::string& name : facts.destination.wal_names) {
    const auto parsed = wal::parse_wal_file_name(name);
    if (!parsed || facts.archived_here.contains(name)) continue;
    const std::string segment =
        name.ends_with(kPartial) ? name.substr(0, name.size() - kPartial.size()) : name;
    const fs::path received = server.locations().streamed_wal(segment + std::string(kPartial));
    if (find_status(received) && has_content_of(received, own / name))
      facts.received_here.insert(name);
  }
}

void list_received_partials(const server::Server& server, RestoreFacts& facts) {
  const fs::path directory = server.locations().streaming_directory;
  if (!find_status(directory)) return;
  for (const std::string& name : list_directory(directory)) {
    const auto parsed = wal::parse_wal_file_name(name);
    if (parsed && parsed->kind == wal::WalFileKind::partial)
      facts.received_partials.emplace(parsed->segment(), server.locations().streamed_wal(name));
  }
}

// Bytes by the time in which they moved. `total_time` has waits for checkpoints and for archiving,
// too; where it is the same, as in backups of other programs, nobody knows how much of it they
// were.
double rate_at_backup(const stored::BackupChain& chain) {
  std::int64_t largest = 0;
  double rate = 0;
  for (const stored::ChainMember& member : chain.members()) {
    const std::int64_t size = member.info.size.value_or(0);
    const double seconds = member.info.copy_stat("copy_time").value_or(0);
    const double with_waits = member.info.copy_stat("total_time").value_or(0);
    const bool is_measured =
        seconds > 0 && seconds < with_waits && size >= static_cast<std::int64_t>(kLeastBytesOfRate);
    if (size <= largest || !is_measured) continue;
    largest = size;
    rate = static_cast<double>(size) / seconds;
  }
  return rate;
}

// As it stands in restore_command.
std::string own_host_name() {
  std::array<char, HOST_NAME_MAX + 1> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) throw_errno("cannot tell the host name");
  addrinfo hints{};
  hints.ai_flags = AI_CANONNAME;
  addrinfo* found = nullptr;
  if (::getaddrinfo(name.data(), nullptr, &hints, &found) != 0) return name.data();
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, &::freeaddrinfo);
  return found->ai_canonname != nullptr ? found->ai_canonname : name.data();
}

// What the rate depends on. The backups that a chain is put together from are mostly alike.
std::string rate_kind_of(const stored::BackupChain& chain, const RestoreRequest& request) {
  const catalogue::BackupInfo& backup = chain.backup();
  std::string kind = chain.is_incremental() ? "incremental" : "full";
  if (backup.compression) kind += fmt::format(",{}", *backup.compression);
  if (backup.encryption) kind += fmt::format(",{}", *backup.encryption);
  if (request.delta_restore) kind += ",in-place";
  if (request.remote_ssh_command) kind += ",remote";
  return kind;
}

ExpectedRate expect_rate(const server::Server& server, const stored::BackupChain& chain,
                         const RestoreRequest& request) {
  ExpectedRate rate = expected_rate(read_restore_rates(server.locations().backup_directory),
                                    rate_kind_of(chain, request));
  if (rate.source == RateSource::unknown) {
    const double rate_of_backup = rate_at_backup(chain);
    if (rate_of_backup > 0) {
      rate = {.bytes_per_second = rate_of_backup, .source = RateSource::backup, .restores = 0};
    }
  }
  const double limit = static_cast<double>(request.bandwidth_limit.bytes_per_second());  // 0 = none
  if (limit > 0 && (rate.bytes_per_second == 0 || rate.bytes_per_second > limit)) {
    rate = {.bytes_per_second = limit, .source = RateSource::bandwidth_limit, .restores = 0};
  }
  return rate;
}

// Every link is compared with its own manifest; what will be written is counted in the result.
void scan(const stored::BackupChain& chain, const std::vector<copy::TreeCopy>& trees,
          const Interrupt& interrupt, RestoreFacts& facts) {
  if (!chain.is_incremental()) {
    facts.scan = copy::scan_trees(trees, chain.members().front().manifest.get(), interrupt);
    facts.stored_bytes = facts.scan.total_bytes;
    return;
  }
  std::vector<std::string> problems;
  for (const stored::ChainMember& member : chain.members()) {
    const copy::TreeScan scan = copy::scan_member(member, interrupt);
    facts.stored_bytes += scan.total_bytes;
    for (const std::string& problem : scan.problems) {
      problems.push_back(fmt::format("{} in backup {}", problem, member.info.id.value));
    }
  }
  if (problems.empty() && chain.has_random_access()) {
    facts.scan = copy::scan_trees(trees, nullptr, interrupt);
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
    // A bucket is nothing that could be written here.
    if (!path.is_absolute()) continue;
    std::error_code code;
    fs::path resolved = fs::weakly_canonical(path, code);
    directories.push_back(code ? path : std::move(resolved));
  }
  return directories;
}

}  // namespace

void inspect_any_places(const server::Server& server, const RestoreRequest& request,
                        const Relocations& relocations, RestoreFacts& facts) {
  if (!request.remote_ssh_command) return inspect_places(request, relocations, facts);
  inspect_remote_places(destination_host(*request.remote_ssh_command), request, relocations, facts,
                        server.interrupt());
}

RestoreFacts gather_facts(const server::Server& server, const stored::BackupChain& chain,
                          const RestoreRequest& request, const Relocations& relocations) {
  const catalogue::Catalogue& catalogue = server.catalogue();
  const catalogue::BackupInfo& backup = chain.backup();
  RestoreFacts facts;
  facts.server_name = server.name();
  facts.barman_user = server.global().barman_user;
  if (request.remote_ssh_command) facts.barman_host = own_host_name();
  facts.backup = backup;
  facts.content = chain.complete_trees();
  facts.rate = expect_rate(server, chain, request);
  // What a resumed restore finds there already tells nothing of the next.
  if (!request.resume) facts.rate_kind = rate_kind_of(chain, request);
  facts.manifest_path = stored::BackupStore(catalogue).manifest_path(backup.id);
  facts.has_mixed_checksums = chain.has_mixed_checksums();
  if (chain.is_incremental()) {
    for (const stored::ChainMember& member : chain.members()) {
      facts.chain.push_back(member.info.id);
    }
    if (!chain.has_random_access()) {
      facts.passed_through.assign(chain.members().begin() + 1, chain.members().end());
    }
  }
  if (catalogue.locations().has_local_backups) {
    facts.catalogue_device = device_of(catalogue.data_directory(backup.id));
  }
  inspect_any_places(server, request, relocations, facts);
  find_archived(server, facts);
  if (request.remote_ssh_command) {
    list_received_partials(server, facts);
  } else {
    find_received_partials(server, facts);
  }
  facts.archive = wal_archive::WalArchive(server);
  facts.wal_coding = wal_archive::WalCoding(server.config());
  facts.streaming_directory = server.locations().streaming_directory;
  facts.timelines = wal_archive::read_branches(server, backup.xlog_segment_size);
  if (!request.get_wal || !request.skip_wal_check) {
    // In this order nothing is overlooked that is archived meanwhile.
    read_received(server.locations().streaming_directory, facts);
    read_received(server.locations().incoming_directory, facts);
    add_wal_reading(server, facts);
    drop_shorter_partials(facts);
  }
  for (const wal_archive::ReceivedWal& file : facts.received) {
    const auto name = wal::parse_wal_file_name(file.path.filename().string());
    if (!name || name->kind == wal::WalFileKind::history) continue;
    facts.timelines.last_segments.try_emplace(name->timeline, name->segment());
  }
  if (!request.remote_ssh_command) {
    facts.catalogue_directories = list_catalogue_directories(server.locations());
  }
  scan(chain, list_trees(facts, request.destination, relocations), server.interrupt(), facts);
  return facts;
}

namespace {

// Each directory of a bucket is listed once.
class ArchivedWal {
 public:
  explicit ArchivedWal(const wal_archive::WalArchive& archive) : archive_(archive) {}

  // Whether what is there can be the file of that line.
  bool is_there(const WalFileCopy& file) {
    const std::optional<storage::ObjectFacts> found = find(file.source);
    if (!found) return false;
    if (!file.is_coded && wal_archive::has_coded_name(*found)) return found->size_bytes != 0;
    return found->size_bytes == file.size_bytes;
  }

 private:
  std::optional<storage::ObjectFacts> find(const fs::path& path) {
    if (!archive_.is_elsewhere(path)) {
      const auto status = find_status(path);
      if (!status || !S_ISREG(status->st_mode)) return std::nullopt;
      return storage::ObjectFacts{.size_bytes = static_cast<std::uint64_t>(status->st_size)};
    }
    const std::string key = wal_archive::WalArchive::key_of(path.filename().string());
    const std::size_t slash = key.rfind('/');
    // History files lie beside the directories.
    const std::string prefix = slash == std::string::npos ? key : key.substr(0, slash + 1);
    if (listed_.insert(prefix).second) {
      archive_.storage().list(
          prefix, [&](const storage::ObjectFacts& object) { objects_[object.key] = object; });
    }
    const auto object = objects_.find(key);
    return object == objects_.end() ? std::nullopt : std::optional(object->second);
  }

  const wal_archive::WalArchive& archive_;
  std::set<std::string> listed_;
  std::map<std::string, storage::ObjectFacts> objects_;
};

}  // namespace

void verify_wal_files(const RestorePlan& plan) {
  ArchivedWal archived(plan.wal.archive);
  for (const WalFileCopy& file : plan.wal.files) {
    if (!file.moves_to.empty()) continue;
    if (archived.is_there(file)) continue;
    throw Error(
        ErrorKind::corrupt,
        fmt::format("archived WAL file \"{}\" is missing, or its size is not the {} bytes that the "
                    "index says",
                    file.source.string(), file.size_bytes),
        fmt::format("Put the file in place, or run 'barman rebuild-xlogdb {}'.", plan.server_name));
  }
}

}  // namespace barman::restore
