// The files that an existing directory on another host has, with sizes and modes: one session, for
// names of any bytes.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "base/interrupt.h"
#include "host/host.h"
#include "restore/clearing_rules.h"
#include "restore/remote_digests.h"

namespace barman::restore {

struct ListedEntry {
  std::string path;  // relative to the directory
  FoundKind kind = FoundKind::other;
  mode_t mode = 0;  // permission bits
  std::uint64_t size_bytes = 0;
};

// What that host has to compare files with.
struct RemoteMeans {
  RemoteChecksum checksum = RemoteChecksum::sha256sum;
  // tar that takes names with a NUL behind each.
  bool has_gnu_tar = false;
};

// A directory comes before what it contains, and what it contains at once behind it. `wal_name`
// ("pg_wal"): a link of this name is followed, and no other; "" = none. Throws `remote`.
RemoteMeans list_remote_tree(const host::Host& host, const std::filesystem::path& directory,
                             const std::string& wal_name,
                             const std::function<void(const ListedEntry&)>& visit,
                             const Interrupt& interrupt);

}  // namespace barman::restore
