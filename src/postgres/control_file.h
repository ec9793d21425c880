// `global/pg_control`: what kind of cluster a data directory holds, and where its recovery begins
// (PostgreSQL src/include/catalog/pg_control.h). Little-endian files of 64-bit servers.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string_view>

#include "base/fd.h"
#include "postgres/system_id.h"
#include "wal/lsn.h"

namespace barman::postgres {

enum class ClusterState : std::uint32_t {
  starting_up = 0,
  shut_down = 1,
  shut_down_in_recovery = 2,
  shutting_down = 3,
  in_crash_recovery = 4,
  in_archive_recovery = 5,
  in_production = 6,
};

struct ControlFile {
  SystemId system_id;
  // The format of pg_control: 1300 for PostgreSQL 13 to 17, 1800 for 18.
  std::uint32_t control_version = 0;
  std::uint32_t catalog_version = 0;
  ClusterState state = ClusterState::starting_up;
  wal::Lsn checkpoint;
  wal::Lsn checkpoint_redo;
  wal::TimelineId checkpoint_timeline;
  // Absent for a format that is newer than this program.
  std::optional<wal::SegmentSize> segment_size;
  std::optional<bool> data_checksums;
};

// Throws `corrupt` unless the CRC of the content is right.
ControlFile parse_control_file(Bytes content);
// <data_directory>/global/pg_control.
ControlFile read_control_file(const std::filesystem::path& data_directory);

}  // namespace barman::postgres
