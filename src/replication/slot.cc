#include "replication/slot.h"

#include <algorithm>
#include <functional>

#include <fmt/format.h>

#include "base/error.h"
#include "base/text.h"
#include "postgres/libpq_handle.h"
#include "postgres/versions.h"

namespace barman::replication {
namespace {

constexpr std::size_t kMaxNameLength = 63;
constexpr int kFirstVersionWithReadSlot = postgres::kVersion15;

constexpr std::string_view kDuplicateObject = "42710";
constexpr std::string_view kUndefinedObject = "42704";
constexpr std::string_view kObjectInUse = "55006";
constexpr std::string_view kConfigurationLimit = "53400";

void require_valid_name(const std::string& name) {
  if (is_valid_slot_name(name)) return;
  throw Error(ErrorKind::config, fmt::format("\"{}\" is not a valid replication slot name", name),
              "Use 1 to 63 lower-case letters, digits and underscores.");
}

}  // namespace

bool is_valid_slot_name(std::string_view name) {
  const auto is_allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  };
  return !name.empty() && name.size() <= kMaxNameLength &&
         std::all_of(name.begin(), name.end(), is_allowed);
}

void create_physical_slot(postgres::Connection& connection, const std::string& name) {
  require_valid_name(name);
  try {
    postgres::execute(connection,
                      fmt::format("CREATE_REPLICATION_SLOT {} PHYSICAL RESERVE_WAL", name));
  } catch (const postgres::SqlError& error) {
    // Outcomes the caller tells apart get their own kinds.
    if (error.sqlstate() == kDuplicateObject)
      throw Error(ErrorKind::conflict, fmt::format("replication slot \"{}\" already exists", name));
    if (error.sqlstate() == kConfigurationLimit)
      throw postgres::SqlError(error.sqlstate(), error.message(),
                               "Free a replication slot or increase max_replication_slots.");
    throw;
  }
}

void drop_slot(postgres::Connection& connection, const std::string& name) {
  require_valid_name(name);
  try {
    postgres::execute(connection, fmt::format("DROP_REPLICATION_SLOT {}", name));
  } catch (const postgres::SqlError& error) {
    // Outcomes the caller tells apart get their own kinds.
    if (error.sqlstate() == kUndefinedObject)
      throw Error(ErrorKind::not_found,
                  fmt::format("replication slot \"{}\" does not exist", name));
    if (error.sqlstate() == kObjectInUse)
      throw Error(ErrorKind::conflict, fmt::format("replication slot \"{}\" is in use", name),
                  "End the process that streams from it first.");
    throw;
  }
}

bool can_read_slot(const postgres::Connection& connection) {
  return connection.server_version() >= kFirstVersionWithReadSlot;
}

std::optional<SlotPosition> read_slot(postgres::Connection& connection, const std::string& name) {
  require_valid_name(name);
  const postgres::ResultHandle result =
      postgres::execute(connection, fmt::format("READ_REPLICATION_SLOT {}", name));
  if (!postgres::find_text(result.get(), 0, 0)) return std::nullopt;
  SlotPosition position;
  if (const auto lsn = postgres::find_text(result.get(), 0, 1))
    position.restart_lsn = wal::parse_lsn(*lsn);
  if (const auto timeline = postgres::find_text(result.get(), 0, 2)) {
    const auto number = parse_integer(*timeline);
    if (number && *number > 0 && *number <= UINT32_MAX)
      position.restart_timeline = wal::TimelineId{static_cast<std::uint32_t>(*number)};
  }
  return position;
}

}  // namespace barman::replication
