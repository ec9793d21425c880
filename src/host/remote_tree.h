// Files of another host: `tar` there, taken apart here. Nothing but a shell and tar is needed
// there.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/interrupt.h"
#include "base/progress.h"
#include "base/throttle.h"
#include "host/host.h"
#include "pipeline/tar_reader.h"

namespace barman::host {

struct RemoteTree {
  // On that host.
  std::filesystem::path directory;
  // Names relative to the directory, one a line, from the descriptor's position on; -1 = all of it.
  int names = -1;
  // Each name ends with a NUL, and of a directory only itself is meant; needs GNU tar there.
  bool has_exact_names = false;
};

// What lies in a directory of another host.
struct RemoteFile {
  enum class Type { file, directory, symlink, other };
  Type type = Type::other;
  std::uint64_t size_bytes = 0;
  std::int64_t mtime = 0;  // seconds since the epoch
  std::string inode;       // with its device: who shares it is the same file
  std::string path;        // relative to the directory
};

using RemoteFileVisitor = std::function<void(const RemoteFile&)>;

struct TreeTransfer {
  // By gzip on the way.
  bool is_compressed = false;
  TransferLimit bandwidth_limit;
  Progress& progress;
  const Interrupt& interrupt;
};

// Delivers the members to `visitor`. Throws `remote` with what ssh or tar says, `corrupt` (also
// when the archive ends without its end, be it that nothing was said at all), `interrupted`.
void receive_tree(const Host& host, const RemoteTree& tree, pipeline::TarVisitor& visitor,
                  const TreeTransfer& transfer);

// Everything below `directory` of that host, directories before what is in them; in a file without
// a name, for visit_remote_files(). nullopt when there is no GNU find, or no GNU tar. Throws
// `remote` when that is not known, since the host is not reached, or when it cannot be listed;
// `interrupted`.
std::optional<Fd> list_remote_files(const Host& host, const std::filesystem::path& directory,
                                    const Interrupt& interrupt);
// Reads the list from its beginning. Throws `corrupt` for what is no such list, or names a path
// that leads out of the directory.
void visit_remote_files(const Fd& list, const RemoteFileVisitor& visitor);

// The SHA-256 of each file below `directory` of that host, as sha256sum prints them. nullopt when
// there is no such program. Throws `remote`, `interrupted`.
std::optional<std::string> list_remote_digests(const Host& host,
                                               const std::filesystem::path& directory,
                                               const Interrupt& interrupt);

// What runs there.
std::vector<std::string> tar_command(const RemoteTree& tree, bool is_compressed);

}  // namespace barman::host
