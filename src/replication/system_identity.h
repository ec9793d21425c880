// Questions to a walsender that need no stream: who it is, and the history of a timeline.
#pragma once

#include <string>

#include "postgres/connection.h"
#include "postgres/system_id.h"
#include "wal/lsn.h"

namespace barman::replication {

struct SystemIdentity {
  postgres::SystemId system_id;
  wal::TimelineId timeline;
  wal::Lsn flush_lsn;
};

// IDENTIFY_SYSTEM.
SystemIdentity identify_system(postgres::Connection& connection);

// Whether the server is in recovery: it may lag behind what was received from another one.
bool is_standby(postgres::Connection& connection);

// SHOW wal_segment_size (PostgreSQL 11 and newer; 16 MiB before).
wal::SegmentSize read_segment_size(postgres::Connection& connection);

// The content of the timeline's history file. Throws `not_found` when the server has none.
std::string read_timeline_history(postgres::Connection& connection, wal::TimelineId timeline);

}  // namespace barman::replication
