// The first page header of a segment that comes through filters: what is behind it is not read.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "pipeline/sink.h"

namespace barman::wal_archive {

// The first wal::kSegmentHeaderSize bytes of what `read` writes into the sink; fewer when there are
// no more. `read` is ended by an exception of its sink when these are there. Throws what `read`
// says, if that comes before.
std::vector<std::byte> read_segment_beginning(const std::function<void(pipeline::Sink&)>& read);

}  // namespace barman::wal_archive
