// Looks into a segment that has come in for the record that a server writes when it was started
// with wal_level = minimal: from there on, no backup taken before can be recovered.
#pragma once

#include <optional>
#include <string>

#include "base/fd.h"
#include "catalogue/minimal_wal.h"

namespace barman::archive {

// `file` has come in under `name`. nullopt for what is no plain segment, and for a record that goes
// on in the next segment: verify-wal and restore, which read the segments together, find that one.
// Never throws for what the file holds, and for what of it cannot be read. Reads the whole file.
std::optional<catalogue::MinimalWal> find_minimal_wal(const Fd& file, const std::string& name);

}  // namespace barman::archive
