#include "restore/recovery_target.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>
#include <system_error>

#include <fmt/format.h>

#include "base/error.h"
#include "base/shown_time.h"
#include "base/text.h"
#include "postgres/versions.h"
#include "wal/wal_file_name.h"

namespace barman::restore {
namespace {

// MAXFNAMELEN of PostgreSQL, without the closing zero.
constexpr std::size_t kMaxRestorePointName = 63;

// Without leading zeroes, with which PostgreSQL would read an octal number.
std::string plain_xid(const std::string& xid) {
  const std::string digits = xid.substr(std::min(xid.find_first_not_of('0'), xid.size()));
  std::uint64_t number = 0;
  const char* const end = digits.data() + digits.size();
  const auto [parsed_end, code] = std::from_chars(digits.data(), end, number);
  if (code != std::errc{} || parsed_end != end) {
    throw Error(ErrorKind::usage, fmt::format("Invalid transaction ID for --target-xid: '{}'", xid),
                "Give a positive number, as pg_current_xact_id() shows it.");
  }
  return digits;
}

void check_name(const std::string& name) {
  if (name.empty() || name.size() > kMaxRestorePointName ||
      name.find_first_of("\n\r") != std::string::npos) {
    throw Error(ErrorKind::usage,
                fmt::format("Invalid restore point name for --target-name: '{}'", name),
                fmt::format("Restore points have names of 1 to {} bytes on one line.",
                            kMaxRestorePointName));
  }
}

std::string in_utc(Timestamp time) {
  time.utc_offset_seconds = 0;
  return format_iso(time);
}

std::string describe_zone_doubt(const std::string& text, const ParsedTimestamp& parsed) {
  if (parsed.second_time) {
    return fmt::format(
        "The clock of this host shows '{}' twice, when daylight saving ends. The first time was "
        "taken: {}, which is {} in UTC. For the second one give --target-time '{}' ({} in UTC).",
        text, shown_time(parsed.time), in_utc(parsed.time), shown_time(*parsed.second_time),
        in_utc(*parsed.second_time));
  }
  if (parsed.is_skipped) {
    return fmt::format(
        "The clock of this host never shows '{}': it is skipped when daylight saving begins. {} "
        "was "
        "taken, which is {} in UTC.",
        text, shown_time(parsed.time), in_utc(parsed.time));
  }
  return "";
}

// In the order of TargetAction.
constexpr std::array<std::string_view, 3> kActions = {"pause", "shutdown", "promote"};

TargetAction parse_action(std::string_view word) {
  const auto found = std::find(kActions.begin(), kActions.end(), word);
  if (found == kActions.end()) {
    throw Error(ErrorKind::usage, fmt::format("Invalid target action '{}'", word),
                "Give pause, shutdown or promote.");
  }
  return static_cast<TargetAction>(found - kActions.begin());
}

}  // namespace

void refuse_multiple_targets(const TargetRequest& request) {
  const int count = int{request.time.has_value()} + int{request.xid.has_value()} +
                    int{request.lsn.has_value()} + int{request.name.has_value()} +
                    int{request.immediate};
  if (count > 1) {
    throw Error(ErrorKind::usage, "You cannot specify multiple targets for the recovery operation",
                "Give only one of --target-time, --target-xid, --target-lsn, --target-name and "
                "--target-immediate.");
  }
}

std::string_view to_text(TargetAction action) {
  return kActions.at(static_cast<std::size_t>(action));
}

RecoveryTarget parse_target(const TargetRequest& request) {
  RecoveryTarget target;
  if (request.time) {
    const std::optional<ParsedTimestamp> parsed = parse_timestamp(*request.time);
    if (!parsed) {
      const std::string wrong = find_wrong_part(*request.time);
      throw Error(
          ErrorKind::usage,
          fmt::format("Unable to parse the target time parameter '{}': {}", *request.time,
                      wrong.empty() ? "unknown format" : "there is no " + wrong),
          "Give the time as '2026-11-21 01:43:14+00:00'; of zone abbreviations only UTC and "
          "those of this host are known.");
    }
    target.time = parsed->time;
    target.zone_doubt = describe_zone_doubt(*request.time, *parsed);
    target.zone_was_assumed = !parsed->has_zone;
  }
  if (request.lsn) {
    target.lsn = wal::parse_lsn(*request.lsn);
    if (!target.lsn) {
      throw Error(ErrorKind::usage, fmt::format("Invalid LSN: '{}'", *request.lsn),
                  "Give two hexadecimal numbers separated by a slash, as in 16/B374D848.");
    }
    target.lsn_text = *request.lsn;
  }
  if (request.xid) target.xid = plain_xid(*request.xid);
  if (request.name) check_name(*request.name);
  target.name = request.name;
  target.immediate = request.immediate;
  target.timeline = request.timeline;
  target.exclusive = request.exclusive;
  if (request.action) target.action = parse_action(*request.action);
  return target;
}

bool is_exclusive_in_vain(const RecoveryTarget& target) {
  return target.exclusive && !target.time && !target.xid && !target.lsn;
}

std::string with_zone_doubt(const RecoveryTarget& target, const std::string& hint) {
  return target.zone_doubt.empty() ? hint : target.zone_doubt + " " + hint;
}

void refuse_impossible_target(const RecoveryTarget& target, const catalogue::BackupInfo& backup) {
  const int version = backup.version.value_or(0);
  if (target.time && backup.end_time && *target.time < *backup.end_time) {
    throw Error(ErrorKind::usage,
                fmt::format("The requested target time {} is before the backup end time {}",
                            format_iso(*target.time), format_iso(*backup.end_time)),
                with_zone_doubt(target, "Choose an older backup, or let 'auto' choose it."));
  }
  if (target.lsn && backup.end_xlog && *target.lsn < *backup.end_xlog) {
    throw Error(ErrorKind::usage,
                fmt::format("The requested target LSN {} is before the backup end LSN {}",
                            target.lsn_text, wal::format_lsn(*backup.end_xlog)),
                "Choose an older backup, or let 'auto' choose it.");
  }
  if (target.action && !target.is_pitr()) {
    throw Error(ErrorKind::usage, "Can't enable recovery target action when PITR is not required",
                "Add a recovery target, or leave out --target-action.");
  }
  if (version > 0 && version < postgres::kVersion10 && target.lsn) {
    throw Error(ErrorKind::usage, "Illegal use of recovery_target_lsn for PostgreSQL before 10",
                "Give the target as time, transaction or restore point.");
  }
  if (version > 0 && version < postgres::kVersion9_5 && target.action &&
      *target.action != TargetAction::pause) {
    throw Error(ErrorKind::usage,
                fmt::format("Illegal target action '{}' for PostgreSQL before 9.5",
                            to_text(*target.action)),
                "Use --target-action pause.");
  }
}

std::optional<std::uint64_t> last_number_needed(const RecoveryTarget& target,
                                                const catalogue::BackupInfo& backup) {
  const wal::SegmentSize size = backup.xlog_segment_size;
  if (!target.immediate || !backup.end_wal) return std::nullopt;
  const std::optional<wal::Segment> end = wal::parse_segment_name(*backup.end_wal, size);
  if (!end) return std::nullopt;
  return end->number;
}

std::string describe_target(const RecoveryTarget& target, std::optional<wal::TimelineId> timeline) {
  std::vector<std::string> parts;
  if (target.time) parts.push_back(fmt::format("time: '{}'", format_iso(*target.time)));
  if (target.xid) parts.push_back(fmt::format("xid: '{}'", *target.xid));
  if (target.lsn) parts.push_back(fmt::format("lsn: '{}'", target.lsn_text));
  if (target.timeline && timeline) parts.push_back(fmt::format("timeline: '{}'", timeline->value));
  if (target.name) parts.push_back(fmt::format("name: '{}'", *target.name));
  if (target.immediate) parts.push_back("immediate: True");
  return join(parts, ", ");
}

}  // namespace barman::restore
