// A segment that was never completed may be held several times: as the receiver left it, and as the
// server itself had it, archived later (a promoted standby, WAL saved from a crashed cluster).
#pragma once

#include <filesystem>

#include "base/fd.h"
#include "restore/restore_facts.h"

namespace barman::restore {

// Takes out of `facts.received` the partial files of which another copy, archived or received, has
// everything.
void drop_shorter_partials(RestoreFacts& facts);

// Whether a received file has all that this one has, zeroes behind its end aside. False also for
// what cannot be read.
bool has_content_of(const std::filesystem::path& received, const std::filesystem::path& own);
// The same of a file elsewhere. Throws what reading says.
bool has_content_of(const std::filesystem::path& received, Bytes own);

}  // namespace barman::restore
