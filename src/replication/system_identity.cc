#include "replication/system_identity.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/text.h"
#include "postgres/libpq_handle.h"
#include "postgres/versions.h"
#include "wal/wal_content.h"
#include "wal/wal_file_name.h"

namespace barman::replication {
namespace {

[[noreturn]] void throw_unexpected(const char* command, const std::string& answer) {
  throw Error(ErrorKind::corrupt, fmt::format("unexpected answer to {}: \"{}\"", command, answer));
}

}  // namespace

SystemIdentity identify_system(postgres::Connection& connection) {
  constexpr const char* kCommand = "IDENTIFY_SYSTEM";
  const postgres::ResultHandle result = postgres::execute(connection, kCommand);
  const std::string id_text = postgres::get_text(result.get(), 0, 0);
  const std::string timeline_text = postgres::get_text(result.get(), 0, 1);
  const std::string lsn_text = postgres::get_text(result.get(), 0, 2);
  const auto system_id = postgres::parse_system_id(id_text);
  const auto timeline = parse_integer(timeline_text);
  const auto lsn = wal::parse_lsn(lsn_text);
  if (!system_id) throw_unexpected(kCommand, id_text);
  if (!timeline || *timeline <= 0 || *timeline > UINT32_MAX)
    throw_unexpected(kCommand, timeline_text);
  if (!lsn) throw_unexpected(kCommand, lsn_text);
  return {*system_id, {static_cast<std::uint32_t>(*timeline)}, *lsn};
}

bool is_standby(postgres::Connection& connection) {
  // Before 14 a transaction that may only read is the sign.
  const char* const command = connection.server_version() >= postgres::kVersion14
                                  ? "SHOW in_hot_standby"
                                  : "SHOW transaction_read_only";
  return postgres::get_text(postgres::execute(connection, command).get(), 0, 0) == "on";
}

wal::SegmentSize read_segment_size(postgres::Connection& connection) {
  // Before PostgreSQL 11 the size was fixed when the server was compiled.
  if (connection.server_version() < postgres::kVersion11) return {};
  constexpr const char* kCommand = "SHOW wal_segment_size";
  const postgres::ResultHandle result = postgres::execute(connection, kCommand);
  const std::string text = postgres::get_text(result.get(), 0, 0);
  if (text.size() > 2) {
    const auto number = parse_integer(std::string_view(text).substr(0, text.size() - 2));
    const unsigned shift = text.ends_with("MB") ? 20 : text.ends_with("GB") ? 30 : 0;
    if (number && *number > 0 && *number <= 1024 && shift != 0) {
      const std::uint64_t size_bytes = static_cast<std::uint64_t>(*number) << shift;
      if (wal::is_valid_segment_size(size_bytes)) return {size_bytes};
    }
  }
  throw_unexpected(kCommand, text);
}

std::string read_timeline_history(postgres::Connection& connection, wal::TimelineId timeline) {
  try {
    const postgres::ResultHandle result =
        postgres::execute(connection, fmt::format("TIMELINE_HISTORY {}", timeline.value));
    const std::string name = postgres::get_text(result.get(), 0, 0);
    if (name != wal::history_file_name(timeline)) throw_unexpected("TIMELINE_HISTORY", name);
    std::string text = postgres::get_text(result.get(), 0, 1);
    if (text.size() > wal::kMaxWalTextBytes) {
      throw Error(ErrorKind::corrupt,
                  fmt::format("the server sent {} as {}, which has a line for each timeline",
                              human_size(static_cast<std::int64_t>(text.size())), name),
                  "Look at that file in pg_wal of the server.");
    }
    return text;
  } catch (const postgres::SqlError& error) {
    // A known outcome gets its own kind: undefined_file.
    if (error.sqlstate() != "58P01") throw;
    throw Error(ErrorKind::not_found, error.message(), error.hint());
  }
}

}  // namespace barman::replication
