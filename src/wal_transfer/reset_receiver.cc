#include <algorithm>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/durable.h"
#include "base/error.h"
#include "catalogue/locks.h"
#include "postgres/queries.h"
#include "replication/held_wal.h"
#include "replication/resume_position.h"
#include "wal_archive/wal_archive.h"
#include "wal_transfer/receive_wal.h"
#include "wal_transfer/slot_care.h"
#include "wal_transfer/stream_files.h"

namespace barman::wal_transfer {
namespace fs = std::filesystem;
namespace {

using replication::StreamPosition;

constexpr std::chrono::seconds kReadTimeout{30};

// Where PostgreSQL is, and where its slot keeps WAL from.
struct ServerSide {
  wal::SegmentSize segment_size;
  wal::TimelineId timeline;
  wal::Lsn current;
  wal::Lsn restart;
  // The slot was missing or lost, and is a new one.
  bool is_slot_new = false;
};

ServerSide look_at_server(const server::Server& server, Messages& messages) {
  postgres::Connection sql = server.connect_beside_streaming();
  ServerSide side;
  side.segment_size = postgres::query_settings(sql).segment_size;
  if (server.config().slot_name) {
    const std::string& name = *server.config().slot_name;
    auto slot = postgres::find_replication_slot(sql, name);
    const auto loss = slot ? describe_slot_loss(*slot) : std::nullopt;
    if (loss) messages.warning(*loss);
    if (server.config().streaming_conninfo && (!slot || loss)) {
      renew_slot(server, messages);
      slot = postgres::find_replication_slot(sql, name);
      side.is_slot_new = true;
    }
    if (slot && slot->restart_lsn) side.restart = *slot->restart_lsn;
  }
  side.timeline = postgres::query_current_timeline(sql);
  side.current = postgres::query_wal_position(sql).lsn;
  if (side.restart == wal::Lsn{}) side.restart = side.current;
  return side;
}

// Whether streaming can go on where it stopped.
bool has_wal_at(const server::Server& server, const StreamPosition& position,
                const ServerSide& side) {
  if (position.timeline != side.timeline || position.lsn > side.current) return false;
  if (position.lsn == side.current) return true;
  postgres::Connection connection =
      server.connect_streaming(server.config().streaming_archiver_name);
  return replication::read_wal(connection, position, 1, kReadTimeout, server.interrupt())
      .has_value();
}

// What came otherwise, by archive_command or by hand, is not lost.
void skip_archived(const server::Server& server, wal::Lsn to, wal::SegmentSize size,
                   StreamPosition& from) {
  const wal_archive::WalArchive archive(server);
  wal::Segment segment = wal::segment_of(from.timeline, from.lsn, size);
  while (from.lsn < to && archive.find(wal::segment_name(segment, size))) {
    ++segment.number;
    from.lsn = wal::segment_begin(segment, size);
  }
}

void tell_of_gap(const server::Server& server, const StreamPosition& from, wal::Lsn to,
                 const ServerSide& side, Messages& messages) {
  if (from.timeline == side.timeline && from.lsn >= to) return;
  const auto name = [&](wal::TimelineId timeline, wal::Lsn lsn) {
    return wal::segment_name(wal::segment_of(timeline, lsn, side.segment_size), side.segment_size);
  };
  messages.warning(fmt::format(
      "WAL from {} (in {}) to {} (the beginning of {}) has not been received, and will not be: "
      "backups taken until now can be recovered up to {} only. Take a new base backup: 'barman "
      "backup {}'",
      wal::format_lsn(from.lsn), name(from.timeline, from.lsn), wal::format_lsn(to),
      name(side.timeline, to), wal::format_lsn(from.lsn), server.name()));
}

void move_mark(const fs::path& directory, const std::string& newest, const std::string& target,
               Messages& messages) {
  messages.info("Resetting receive-wal directory status");
  const fs::path marker = directory / (target + ".partial");
  // An empty file is a mark only. One with content holds WAL that the server was told is safe:
  // being superseded, it is archived as a partial file by the next archive-wal.
  const fs::path old = directory / newest;
  if (newest.ends_with(".partial") && fs::file_size(old) == 0) {
    messages.info("Removing status file " + old.string());
    remove_durably(old);
  } else if (newest.ends_with(".partial")) {
    messages.info("Keeping partial file " + old.string() + " for the archive");
  }
  messages.info("Creating status file " + marker.string());
  create_marker(marker);
}

}  // namespace

void reset_receive_wal(const server::Server& server, Messages& messages) {
  require_receiver(server);
  const FileLock lock = server::lock_or_throw(
      catalogue::receive_wal_lock(server.locks()),
      fmt::format("Unable to reset the status of receive-wal for server {}. Process is still "
                  "running",
                  server.name()));
  const fs::path directory = server.locations().streaming_directory;
  make_directories(directory);
  const std::optional<std::string> newest = find_newest_stream_file(directory);
  ServerSide side = look_at_server(server, messages);
  const auto position =
      replication::resume_position(replication::list_stream_files(directory), side.segment_size);
  // The receiver goes on at the newest file: behind what is left of a timeline that the server is
  // not on, whatever the slot says.
  if (position && position->timeline != side.timeline && side.restart < position->lsn)
    side.restart = side.current;
  const wal::Segment target = wal::segment_of(side.timeline, side.restart, side.segment_size);
  const std::string target_name = wal::segment_name(target, side.segment_size);
  if (!newest || newest->starts_with(target_name)) {
    messages.info("Nothing to do. Position of receive-wal is aligned.");
    return;
  }
  const std::string current_name = wal::segment_name(
      wal::segment_of(side.timeline, side.current, side.segment_size), side.segment_size);
  // A later timeline is none of the server's, and does not tell where it is on its own one.
  const bool is_on_timeline = newest->starts_with(wal::format_timeline(side.timeline));
  if (is_on_timeline && newest->substr(0, current_name.size()) > current_name) {
    throw Error(
        ErrorKind::conflict,
        fmt::format("The receive-wal position is ahead of PostgreSQL current WAL lsn ({} > "
                    "{})",
                    *newest, current_name),
        "Check that conninfo leads to the server whose WAL was received. If it was put back "
        "to an earlier state, give it a timeline of its own.");
  }
  // A new slot keeps less than the server still has, perhaps: the receiver takes it back there.
  if (side.is_slot_new && position && has_wal_at(server, *position, side)) {
    messages.info(fmt::format(
        "PostgreSQL still has the WAL from {} on: nothing is lost, receive-wal goes on there",
        wal::format_lsn(position->lsn)));
    return;
  }
  std::optional<StreamPosition> lost_from = position;
  if (lost_from && newest->ends_with(".partial")) {
    const auto held =
        replication::end_of_segment_file(directory / *newest, *lost_from, side.segment_size);
    if (held) lost_from->lsn = held->end();
  }
  move_mark(directory, *newest, target_name, messages);
  if (!lost_from) return;
  const wal::Lsn begin = wal::segment_begin(target, side.segment_size);
  skip_archived(server, begin, side.segment_size, *lost_from);
  tell_of_gap(server, *lost_from, begin, side, messages);
}

}  // namespace barman::wal_transfer
