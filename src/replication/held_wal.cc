// docs/formats/replication_messages.md
#include "replication/held_wal.h"

#include <sys/stat.h>

#include <algorithm>
#include <variant>

#include <fmt/format.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/log.h"
#include "base/log_components.h"
#include "postgres/libpq_handle.h"
#include "replication/copy_session.h"
#include "replication/messages.h"

namespace barman::replication {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kPieceSize = std::size_t{128} << 10;
constexpr std::size_t kSector = 512;
constexpr std::uint64_t kBlockSize = std::uint64_t{1} << 20;
// Archived segments are taken into memory whole.
constexpr std::uint64_t kMaxContent = std::uint64_t{64} << 20;

bool is_zero(std::byte byte) { return byte == std::byte{0}; }

// Takes WAL until there is enough of it. False when the server ends the COPY before.
bool collect(PGconn* handle, const StreamPosition& begin, std::size_t size,
             std::chrono::milliseconds timeout, const Interrupt& interrupt,
             std::vector<std::byte>& bytes) {
  CopyMessage message;
  while (bytes.size() < size) {
    switch (read_copy(handle, message)) {
      case CopyRead::end:
        return false;
      case CopyRead::nothing:
        wait_patiently(handle, {.interval = timeout}, interrupt);
        break;
      case CopyRead::message: {
        const WalMessage decoded = decode_wal_message(message.bytes());
        const auto* wal = std::get_if<WalData>(&decoded);
        if (wal == nullptr) break;
        if (wal->begin.value != begin.lsn.value + bytes.size())
          throw Error(ErrorKind::corrupt,
                      fmt::format("the server sent WAL at {} where {} was expected",
                                  wal::format_lsn(wal->begin),
                                  wal::format_lsn({begin.lsn.value + bytes.size()})));
        bytes.insert(bytes.end(), wal->data.begin(), wal->data.end());
      }
    }
  }
  return true;
}

// Ends the COPY and drops what still comes.
void finish_copy(postgres::Connection& connection, std::chrono::milliseconds timeout,
                 const Interrupt& interrupt) {
  PGconn* handle = postgres::handle_of(connection);
  end_copy(handle, timeout);
  CopyMessage message;
  for (CopyRead read = read_copy(handle, message); read != CopyRead::end;
       read = read_copy(handle, message))
    if (read == CopyRead::nothing) wait_patiently(handle, {.interval = timeout}, interrupt);
}

void drop_results(postgres::Connection& connection, std::chrono::milliseconds timeout,
                  const Interrupt& interrupt) {
  while (wait_for_result(connection, {.interval = timeout}, interrupt) != nullptr) {
  }
}

}  // namespace

std::optional<HeldWal> end_of_segment(const StreamPosition& begin, Bytes segment) {
  const auto last = std::find_if_not(segment.rbegin(), segment.rend(), is_zero);
  const auto used = static_cast<std::size_t>(segment.rend() - last);
  if (used == 0) return std::nullopt;
  const std::size_t from = used - std::min(used, kPieceSize);
  const Bytes piece = segment.subspan(from, used - from);
  return HeldWal{.begin = {begin.timeline, {begin.lsn.value + from}},
                 .bytes = {piece.begin(), piece.end()},
                 .size_bytes = piece.size()};
}

std::optional<HeldWal> end_of_segment_file(const fs::path& path, const StreamPosition& begin,
                                           wal::SegmentSize segment_size) {
  const std::optional<Fd> file = find_file(path);
  if (!file) return std::nullopt;
  struct stat status = {};
  if (::fstat(file->get(), &status) != 0) throw_errno("cannot access \"" + path.string() + "\"");
  if (static_cast<std::uint64_t>(status.st_size) != segment_size.bytes) return std::nullopt;
  // A piece more in front, so that one is whole wherever the block ends.
  std::vector<std::byte> block(kBlockSize + kPieceSize);
  for (std::uint64_t end = segment_size.bytes; end > 0; end -= std::min(end, kBlockSize)) {
    const std::uint64_t offset = end - std::min<std::uint64_t>(end, block.size());
    const MutableBytes wanted = MutableBytes(block).first(static_cast<std::size_t>(end - offset));
    if (read_full_at(*file, wanted, offset, path) != wanted.size()) return std::nullopt;
    if (auto held = end_of_segment({begin.timeline, {begin.lsn.value + offset}}, wanted))
      return held;
  }
  return std::nullopt;
}

std::optional<HeldWal> find_held_wal(const fs::path& streaming_directory,
                                     const ArchivedWal& archive, const StreamPosition& position,
                                     wal::SegmentSize segment_size) {
  wal::Segment segment = wal::segment_of(position.timeline, position.lsn, segment_size);
  StreamPosition begin{segment.timeline, wal::segment_begin(segment, segment_size)};
  std::string name = wal::segment_name(segment, segment_size);
  if (auto held =
          end_of_segment_file(streaming_directory / (name + ".partial"), begin, segment_size))
    return held;
  if (segment.number == 0) return std::nullopt;
  --segment.number;
  begin.lsn = wal::segment_begin(segment, segment_size);
  name = wal::segment_name(segment, segment_size);
  if (auto held = end_of_segment_file(streaming_directory / name, begin, segment_size)) return held;
  if (auto noted = archive.noted_end ? archive.noted_end(name) : std::nullopt) return noted;
  if (!archive.content || segment_size.bytes > kMaxContent) return std::nullopt;
  const auto content = archive.content(name);
  return content ? end_of_segment(begin, *content) : std::nullopt;
}

bool is_same_wal(Bytes held, Bytes sent) {
  const std::size_t size = std::min(held.size(), sent.size());
  for (std::size_t offset = 0; offset < size; offset += kSector) {
    const Bytes ours = held.subspan(offset, std::min(kSector, size - offset));
    if (std::equal(ours.begin(), ours.end(), sent.begin() + static_cast<std::ptrdiff_t>(offset)))
      continue;
    if (!std::all_of(ours.begin(), ours.end(), is_zero)) return false;
  }
  return true;
}

std::optional<bool> is_same_wal(const HeldWal& held, Bytes sent) {
  if (held.sha256.empty()) return is_same_wal(Bytes(held.bytes), sent);
  if (sent.size() < held.size_bytes) return std::nullopt;
  Digest digest(DigestAlgorithm::sha256);
  digest.update(sent.first(static_cast<std::size_t>(held.size_bytes)));
  return digest.finish() == held.sha256;
}

HeldWal reduce_to_digest(const HeldWal& held) {
  Digest digest(DigestAlgorithm::sha256);
  digest.update(held.bytes);
  return {.begin = held.begin, .size_bytes = held.size_bytes, .sha256 = digest.finish()};
}

std::optional<std::vector<std::byte>> read_wal(postgres::Connection& connection,
                                               const StreamPosition& begin, std::size_t size,
                                               std::chrono::milliseconds timeout,
                                               const Interrupt& interrupt) {
  PGconn* handle = postgres::handle_of(connection);
  const std::string command = fmt::format("START_REPLICATION PHYSICAL {} TIMELINE {}",
                                          wal::format_lsn(begin.lsn), begin.timeline.value);
  std::vector<std::byte> bytes;
  // What the server answers with an error it does not have, or not any more.
  try {
    if (PQsendQuery(handle, command.c_str()) == 0)
      throw Error(ErrorKind::connection, postgres::last_message(handle));
    const auto result = wait_for_result(connection, {.interval = timeout}, interrupt);
    bool is_complete = false;
    if (PQresultStatus(result.get()) == PGRES_COPY_BOTH) {
      is_complete = collect(handle, begin, size, timeout, interrupt, bytes);
      if (is_complete) finish_copy(connection, timeout, interrupt);
    }
    drop_results(connection, timeout, interrupt);
    if (!is_complete) return std::nullopt;
  } catch (const postgres::SqlError& error) {
    log::debug(log::kWalArchiverComponent, "the server does not send WAL at {} of timeline {}: {}",
               wal::format_lsn(begin.lsn), begin.timeline.value, error.describe());
    drop_results(connection, timeout, interrupt);
    return std::nullopt;
  }
  bytes.resize(size);
  return bytes;
}

}  // namespace barman::replication
