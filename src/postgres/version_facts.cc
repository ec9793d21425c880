#include "postgres/version_facts.h"

#include <fmt/format.h>

#include "postgres/versions.h"
#include "wal/wal_file_name.h"

namespace barman::postgres {
namespace {

constexpr VersionFacts kSince13 = {
    .wal_directory = "pg_wal",
    .switch_wal = "pg_switch_wal",
    .walfile_name = "pg_walfile_name",
    .walfile_name_offset = "pg_walfile_name_offset",
    .current_wal_lsn = "pg_current_wal_lsn",
    .current_wal_insert_lsn = "pg_current_wal_insert_lsn",
    .last_wal_receive_lsn = "pg_last_wal_receive_lsn",
    .last_wal_replay_lsn = "pg_last_wal_replay_lsn",
    .position_suffix = "lsn",
    .wal_keep_setting = "wal_keep_size",
};

constexpr VersionFacts kBefore10 = {
    .wal_directory = "pg_xlog",
    .switch_wal = "pg_switch_xlog",
    .walfile_name = "pg_xlogfile_name",
    .walfile_name_offset = "pg_xlogfile_name_offset",
    .current_wal_lsn = "pg_current_xlog_location",
    .current_wal_insert_lsn = "pg_current_xlog_insert_location",
    .last_wal_receive_lsn = "pg_last_xlog_receive_location",
    .last_wal_replay_lsn = "pg_last_xlog_replay_location",
    .position_suffix = "location",
    .wal_keep_setting = "wal_keep_segments",
};

}  // namespace

std::string version_text(int version) {
  if (version >= kVersion10) return fmt::format("{}.{}", version / 10000, version % 10000);
  return fmt::format("{}.{}.{}", version / 10000, version / 100 % 100, version % 100);
}

std::string major_version_text(int version) {
  if (version >= kVersion10) return fmt::format("{}", version / 10000);
  return fmt::format("{}.{}", version / 10000, version / 100 % 100);
}

VersionFacts facts_for(int version) {
  if (version <= 0 || version >= kVersion13) return kSince13;
  if (version < kVersion10) return kBefore10;
  VersionFacts facts = kSince13;
  facts.wal_keep_setting = kBefore10.wal_keep_setting;
  return facts;
}

std::string normalise_boundary(int version, const std::string& wal_name, wal::Lsn lsn,
                               wal::SegmentSize segment_size) {
  if (version < kVersion17 || wal::segment_offset(lsn, segment_size) != 0) return wal_name;
  auto segment = wal::parse_segment_name(wal_name, segment_size);
  if (!segment || segment->number == 0) return wal_name;
  --segment->number;
  return wal::segment_name(*segment, segment_size);
}

}  // namespace barman::postgres
