// What is refused as WAL of a server, at the door (put-wal) and at filing (archive-wal): whatever
// cannot be what its name says, of this cluster. Compressed files are decompressed for that, so
// that one that is cut off is seen; encrypted ones are believed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "base/fd.h"
#include "wal/wal_content.h"
#include "wal_archive/wal_coding.h"

namespace barman::wal_archive {

// nullopt when nothing speaks against the file, which is stored in this form. Throws SystemError
// when it cannot be read.
std::optional<wal::ContentProblem> find_content_problem(
    const Fd& file, const std::filesystem::path& path, const wal::WalFileName& name,
    const WalStoredForm& form, const WalCoding& coding, std::optional<std::uint64_t> system_id);

}  // namespace barman::wal_archive
