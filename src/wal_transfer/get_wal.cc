#include "wal_transfer/get_wal.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "base/directory.h"
#include "base/durable.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/log_components.h"
#include "base/text.h"
#include "compression/codec.h"
#include "compression/stored_file.h"
#include "wal/segment_header.h"
#include "wal/wal_file_name.h"
#include "wal_archive/wal_archive.h"
#include "wal_transfer/raw_output.h"
#include "wal_transfer/ssh_caller.h"

namespace barman::wal_transfer {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kPartialSuffix = ".partial";
constexpr std::size_t kZeroes = std::size_t{1} << 20;
// Segments in a log of 4 GiB, for segments of 1 GiB and of 1 MiB.
constexpr std::uint64_t kFewestSegmentsInLog = 4;
constexpr std::uint64_t kMostSegmentsInLog = 4096;

wal::WalFileName require_name(const std::string& wal_name) {
  std::optional<wal::WalFileName> name = wal::parse_wal_file_name(wal_name);
  if (name) return std::move(*name);
  throw BadWalRequest(
      ErrorKind::usage,
      fmt::format("'{}' is not a valid wal file name{}", wal_name, ssh_caller_text()),
      "Give %f of restore_command: 24 hexadecimal digits, or a history file.");
}

// Where a file may be.
struct WalPlace {
  fs::path path;
  // In the archive: its name there.
  std::string archived_name = {};
};

std::vector<WalPlace> wal_places(const wal_archive::WalArchive& archive,
                                 const catalogue::CatalogueLocations& locations,
                                 const std::string& wal_name, PartialWal partial_files) {
  const auto archived = [&](const std::string& name) {
    return WalPlace{.path = archive.path_of(name), .archived_name = name};
  };
  const fs::path streamed = locations.streamed_wal(wal_name);
  const std::string partial = wal_name + std::string(kPartialSuffix);
  std::vector<WalPlace> places = {
      archived(wal_name), {.path = locations.incoming_wal(wal_name)}, {.path = streamed}};
  const auto kind = wal::parse_wal_file_name(wal_name)->kind;
  if (partial_files == PartialWal::accept && kind == wal::WalFileKind::segment) {
    places.push_back({.path = locations.streamed_wal(partial)});
    // Completed while we looked.
    places.push_back({.path = streamed});
    places.push_back(archived(partial));
    places.push_back({.path = locations.incoming_wal(partial)});
  }
  // Archived while we looked.
  places.push_back(archived(wal_name));
  return places;
}

std::uint64_t size_of(const Fd& file) {
  struct stat status = {};
  return ::fstat(file.get(), &status) == 0 ? static_cast<std::uint64_t>(status.st_size) : 0;
}

bool is_partial(const FoundWal& wal) { return wal.path.native().ends_with(kPartialSuffix); }

// Of one of the places: nullopt when it is not there.
std::optional<FoundWal> open_place(const wal_archive::WalArchive& archive, const WalPlace& place) {
  FoundWal wal;
  wal.path = place.path;
  if (!place.archived_name.empty() && archive.is_in_bucket()) {
    std::optional<wal_archive::StoredWal> stored = archive.find(place.archived_name);
    if (!stored) return std::nullopt;
    wal.file = std::move(stored->file);
    return wal;
  }
  std::optional<Fd> file = find_file(place.path);
  if (!file) return std::nullopt;
  wal.file = std::move(*file);
  return wal;
}

// A file is missing only where its place can be looked into: to PostgreSQL it means the end of the
// WAL, with which it ends its recovery.
void require_places(const server::Server& server, const wal_archive::WalArchive& archive,
                    const std::string& wal_name) {
  const catalogue::CatalogueLocations& locations = server.locations();
  if (archive.is_local()) static_cast<void>(archive.find(wal_name));
  static_cast<void>(is_directory_there(locations.incoming_directory));
  static_cast<void>(is_directory_there(locations.streaming_directory));
  if (!archive.is_local() || is_directory_there(locations.wals_directory)) return;
  // A new server has none yet.
  if (!list_directory(locations.meta_directory).empty()) {
    throw Error(ErrorKind::io,
                fmt::format("the WAL archive of server '{}', \"{}\", is not there", server.name(),
                            locations.wals_directory.string()),
                "Is its disk mounted?");
  }
}

FoundWal open_wal(const server::Server& server, const std::string& wal_name,
                  PartialWal partial_files) {
  require_name(wal_name);
  const wal_archive::WalArchive archive(server);
  for (const WalPlace& place : wal_places(archive, server.locations(), wal_name, partial_files)) {
    std::optional<FoundWal> wal = open_place(archive, place);
    // An empty one only tells the receiver where to go on.
    if (!wal || (is_partial(*wal) && size_of(wal->file) == 0)) continue;
    return std::move(*wal);
  }
  require_places(server, archive, wal_name);
  throw WalNotFound(ErrorKind::not_found, fmt::format("WAL file '{}' not found in server '{}'{}",
                                                      wal_name, server.name(), ssh_caller_text()));
}

std::optional<compression::Algorithm> algorithm_of(WalForm form) {
  if (form == WalForm::gzip) return compression::Algorithm::gzip;
  if (form == WalForm::bzip2) return compression::Algorithm::bzip2;
  if (form == WalForm::zstd) return compression::Algorithm::zstd;
  if (form == WalForm::lz4) return compression::Algorithm::lz4;
  return std::nullopt;
}

// What is compressed for the way only is to arrive soon.
std::string_view level_on_the_wire(WalForm form) {
  return form == WalForm::zstd || form == WalForm::lz4 ? "low" : "medium";
}

bool is_sent_as_stored(const FoundWal& wal) {
  if (wal.stored.encryption) return false;
  if (wal.form == WalForm::as_stored) return true;
  const auto wanted = algorithm_of(wal.form);
  return wanted ? !wal.stored.is_custom && wal.stored.algorithm == wanted : wal.stored.is_plain();
}

// PostgreSQL would take other bytes for a broken segment, and end its recovery.
void refuse_unreadable(const wal_archive::WalCoding& coding, const FoundWal& wal) {
  if (!wal.stored.encryption || coding.cipher().can_decrypt()) return;
  throw Error(
      ErrorKind::config,
      fmt::format("Encrypted WAL file '{}' detected, but no 'encryption_passphrase_command' is "
                  "configured.{}",
                  wal.path.filename().string(), ssh_caller_text()),
      "Set encryption_passphrase_command to a command that prints the passphrase of the key.");
}

// What has arrived of a segment; a file that is stored otherwise was complete when it was stored.
bool is_unfinished(const FoundWal& wal) { return is_partial(wal) && wal.stored.is_plain(); }

// Adds zeroes up to the size that the segment's header tells: PostgreSQL takes segments of full
// size only. Counts what passes, since a file that is being received grows while it is read.
class SegmentFiller final : public pipeline::Sink {
 public:
  explicit SegmentFiller(pipeline::Sink& next) : next_(next) {}

  void write(Bytes data) override {
    const Bytes header = data.first(std::min(data.size(), wal::kSegmentHeaderSize - first_.size()));
    first_.insert(first_.end(), header.begin(), header.end());
    size_bytes_ += data.size();
    next_.write(data);
  }
  void finish() override {
    const std::optional<wal::SegmentHeader> header = wal::parse_segment_header(first_);
    const std::uint64_t whole_bytes = header ? header->segment_size : 0;
    const std::vector<std::byte> zeroes(kZeroes);
    while (size_bytes_ < whole_bytes) {
      write(Bytes(zeroes).first(std::min<std::uint64_t>(whole_bytes - size_bytes_, kZeroes)));
    }
    next_.finish();
  }

 private:
  pipeline::Sink& next_;
  std::vector<std::byte> first_;
  std::uint64_t size_bytes_ = 0;
};

// Decrypts, decompresses, fills up and compresses as far as the forms differ.
void convert(const wal_archive::WalCoding& coding, const FoundWal& wal, RawOutput& output) {
  std::unique_ptr<pipeline::Sink> compressor;
  if (const auto wanted = algorithm_of(wal.form)) {
    compressor = compression::make_compressor(
        *wanted, compression::resolve_level(*wanted, level_on_the_wire(wal.form)), output);
  }
  pipeline::Sink& target = compressor ? *compressor : output;
  if (is_unfinished(wal)) {
    SegmentFiller filler(target);
    coding.decode(wal.stored, wal.file, wal.path, filler);
  } else if (wal.form == WalForm::as_stored) {
    coding.decrypt(wal.file, wal.path, output);
  } else {
    coding.decode(wal.stored, wal.file, wal.path, target);
  }
}

SendOutcome transfer(const server::Server& server, const FoundWal& wal, int fd,
                     const fs::path& path) {
  RawOutput output(fd, path, server.interrupt());
  // The reader decides how much it wants; for everything else the user knows this text.
  try {
    if (is_sent_as_stored(wal) && !is_unfinished(wal)) {
      output.send(wal.file, wal.path);
    } else {
      convert(wal_archive::WalCoding(server.config()), wal, output);
    }
  } catch (const compression::ReaderGone&) {
    return SendOutcome::reader_gone;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::corrupt) throw;
    throw Error(ErrorKind::corrupt,
                fmt::format("Error decompressing WAL: {}{}", error.describe(), ssh_caller_text()),
                error.hint());
  }
  return SendOutcome::sent;
}

// Whether segments can be fetched; each directory of a bucket is listed once.
class HeldSegments {
 public:
  explicit HeldSegments(const server::Server& server)
      : locations_(server.locations()), archive_(server) {}

  // Throws when it cannot be told: "not there" would end a recovery.
  bool has(const std::string& name) {
    const std::vector<WalPlace> places = wal_places(archive_, locations_, name, PartialWal::ignore);
    return std::ranges::any_of(places, [&](const WalPlace& place) { return is_there(place); });
  }

 private:
  bool is_there(const WalPlace& place) {
    if (place.archived_name.empty() || !archive_.is_in_bucket()) {
      if (find_status(place.path)) return true;
      return !place.archived_name.empty() && archive_.find(place.archived_name);
    }
    const std::string key = wal_archive::WalArchive::key_of(place.archived_name);
    const std::string directory = key.substr(0, key.rfind('/') + 1);
    const bool is_segment = !directory.empty();
    if (!is_segment) return archive_.holds(place.archived_name);
    const auto listed = listed_.try_emplace(directory);
    std::set<std::string>& keys = listed.first->second;
    if (listed.second) {
      archive_.storage().list(directory,
                              [&](const storage::ObjectFacts& object) { keys.insert(object.key); });
    }
    return keys.contains(key);
  }

  const catalogue::CatalogueLocations locations_;
  const wal_archive::WalArchive archive_;
  std::map<std::string, std::set<std::string>> listed_;
};

// The segment size is not known here, and asking for it would need a connection or a file. A name
// is three numbers of eight digits, and the last one ends at a power of two.
struct SegmentNumbers {
  std::string timeline;
  std::uint64_t log = 0;
  std::uint64_t segment = 0;

  std::string name() const { return fmt::format("{}{:08X}{:08X}", timeline, log, segment); }
  bool may_end_log() const {
    return segment >= kFewestSegmentsInLog && segment <= kMostSegmentsInLog &&
           (segment & (segment - 1)) == 0;
  }
};

}  // namespace

std::vector<fs::path> wal_search_places(const catalogue::CatalogueLocations& locations,
                                        const std::string& wal_name, PartialWal partial_files) {
  std::vector<fs::path> paths;
  for (WalPlace& place :
       wal_places(wal_archive::WalArchive(locations, {}), locations, wal_name, partial_files)) {
    paths.push_back(std::move(place.path));
  }
  return paths;
}

FoundWal find_wal(const server::Server& server, const WalRequest& request) {
  FoundWal wal = open_wal(server, request.wal_name, request.partial_files);
  wal.form = request.form;
  const wal_archive::WalCoding coding(server.config());
  wal.stored = coding.identify(wal.file, wal.path);
  refuse_unreadable(coding, wal);
  return wal;
}

SendOutcome send_wal(const server::Server& server, const FoundWal& wal, int fd) {
  log::info(log::kServerComponent, "Sending WAL '{}' for server '{}' to standard output{}",
            wal.path.filename().string(), server.name(), ssh_caller_text());
  refuse_closed_output(fd);
  return transfer(server, wal, fd, "standard output");
}

void copy_wal(const server::Server& server, const FoundWal& wal, const Fd& target,
              const fs::path& target_path) {
  log::info(log::kServerComponent, "Sending WAL '{}' for server '{}' into '{}' file",
            wal.path.filename().string(), server.name(), target_path.string());
  transfer(server, wal, target.get(), target_path);
}

void write_wal(const server::Server& server, const WalRequest& request, const fs::path& directory,
               Messages& messages) {
  const FoundWal wal = find_wal(server, request);
  const fs::path path = directory / request.wal_name;
  std::optional<AtomicFile> target;
  // Scripts know this text and the exit code that goes with it.
  try {
    target.emplace(path, 0666);
  } catch (const SystemError& error) {
    throw BadWalRequest(error.kind(),
                        fmt::format("Unable to open '{}' file: {}{}", path.string(),
                                    errno_text(error.error_number()), ssh_caller_text()));
  }
  messages.info(fmt::format("Sending WAL '{}' for server '{}' into '{}' file{}",
                            wal.path.filename().string(), server.name(), path.string(),
                            ssh_caller_text()));
  transfer(server, wal, target->fd().get(), target->temporary_path());
  target->commit();
}

std::vector<std::string> peek_wals(const server::Server& server, const std::string& wal_name,
                                   std::uint64_t count) {
  const wal::WalFileName name = require_name(wal_name);
  HeldSegments held(server);
  std::vector<std::string> names;
  if (name.kind != wal::WalFileKind::segment) {
    if (held.has(wal_name)) names.push_back(wal_name);
    return names;
  }
  const auto number_at = [&](std::size_t offset) {
    return std::strtoull(wal_name.substr(offset, 8).c_str(), nullptr, 16);
  };
  SegmentNumbers next = {
      .timeline = to_upper(wal_name.substr(0, 8)), .log = number_at(8), .segment = number_at(16)};
  while (names.size() < count) {
    if (!held.has(next.name())) {
      if (!next.may_end_log()) break;
      ++next.log;
      next.segment = 0;
      if (!held.has(next.name())) break;
    }
    names.push_back(next.name());
    ++next.segment;
  }
  return names;
}

}  // namespace barman::wal_transfer
