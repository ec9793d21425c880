#include "postgres/backup_label.h"

#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "wal/wal_file_name.h"

namespace barman::postgres {
namespace {

[[noreturn]] void throw_malformed_line(std::string_view line) {
  throw Error(ErrorKind::corrupt, "malformed line in backup_label: \"" + std::string(line) + "\"",
              "Take a new backup.");
}

// "0/2000028 (file 000000010000000000000002)".
void read_start_location(std::string_view value, std::string_view line, BackupLabel& label) {
  constexpr std::string_view kFile = " (file ";
  const std::size_t file = value.find(kFile);
  if (file == std::string_view::npos || value.back() != ')') throw_malformed_line(line);
  const std::optional<wal::Lsn> lsn = wal::parse_lsn(value.substr(0, file));
  std::string_view name = value.substr(file + kFile.size());
  name.remove_suffix(1);
  const auto parsed = wal::parse_wal_file_name(name);
  if (!lsn || !parsed || parsed->kind != wal::WalFileKind::segment) throw_malformed_line(line);
  label.start_wal_location = *lsn;
  label.start_wal_file = std::string(name);
  label.start_timeline = parsed->timeline;
}

wal::Lsn read_lsn(std::string_view value, std::string_view line) {
  const std::optional<wal::Lsn> lsn = wal::parse_lsn(value);
  if (!lsn) throw_malformed_line(line);
  return *lsn;
}

wal::TimelineId read_timeline(std::string_view value, std::string_view line) {
  const std::optional<std::int64_t> number = parse_integer(value);
  if (!number || *number <= 0 || *number > 0xFFFFFFFFLL) throw_malformed_line(line);
  return {static_cast<std::uint32_t>(*number)};
}

// Unknown keys are for newer servers and are skipped.
void read_line(std::string_view key, std::string_view value, std::string_view line,
               BackupLabel& label) {
  if (key == "START WAL LOCATION") {
    read_start_location(value, line, label);
  } else if (key == "CHECKPOINT LOCATION") {
    label.checkpoint_location = read_lsn(value, line);
  } else if (key == "BACKUP METHOD") {
    label.backup_method = value;
  } else if (key == "BACKUP FROM") {
    label.backup_from = value;
  } else if (key == "START TIME") {
    label.start_time_text = value;
    const std::optional<ParsedTimestamp> time = parse_timestamp(value);
    if (time && time->has_zone) label.start_time = time->time;
  } else if (key == "LABEL") {
    label.label = value;
  } else if (key == "START TIMELINE") {
    label.start_timeline = read_timeline(value, line);
  } else if (key == "INCREMENTAL FROM LSN") {
    label.incremental_from_lsn = read_lsn(value, line);
  } else if (key == "INCREMENTAL FROM TLI") {
    label.incremental_from_timeline = read_timeline(value, line);
  }
}

}  // namespace

BackupLabel parse_backup_label(std::string_view text) {
  BackupLabel label;
  bool has_checkpoint = false;
  std::size_t begin = 0;
  while (begin < text.size()) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    std::string_view line = text.substr(begin, end - begin);
    begin = end + 1;
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    const std::size_t colon = line.find(": ");
    if (colon == std::string_view::npos) continue;
    const std::string_view key = line.substr(0, colon);
    read_line(key, line.substr(colon + 2), line, label);
    if (key == "CHECKPOINT LOCATION") has_checkpoint = true;
  }
  if (label.start_wal_file.empty() || !has_checkpoint) {
    throw Error(ErrorKind::corrupt,
                std::string("no line \"") +
                    (has_checkpoint ? "START WAL LOCATION" : "CHECKPOINT LOCATION") +
                    "\" in backup_label",
                "Take a new backup.");
  }
  return label;
}

std::string without_incremental_lines(std::string_view text) {
  std::string kept;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end == std::string_view::npos ? end : end + 1);
    text.remove_prefix(line.size());
    if (!line.starts_with("INCREMENTAL FROM ")) kept += line;
  }
  return kept;
}

}  // namespace barman::postgres
