// What is refused as WAL of a server, at the door (put-wal) and at filing (archive-wal): whatever
// cannot be what its name says, of this cluster. Compressed files are decompressed for that, so
// that one that is cut off is seen; encrypted ones are believed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "base/fd.h"
#include "server/server.h"
#include "wal/wal_content.h"
#include "wal_archive/wal_coding.h"

namespace barman::wal_archive {

// Of identity.json; before that is written, of the newest backup. What cannot be read counts as not
// known, with a warning in the log: archiving goes on.
std::optional<std::uint64_t> known_system_id(const server::Server& server);

// nullopt when nothing speaks against the file, which is stored in this form. Throws SystemError
// when it cannot be read.
std::optional<wal::ContentProblem> find_content_problem(
    const Fd& file, const std::filesystem::path& path, const wal::WalFileName& name,
    const WalStoredForm& form, const WalCoding& coding, std::optional<std::uint64_t> system_id);

}  // namespace barman::wal_archive
