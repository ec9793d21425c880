#include "consolidate/chain_merge.h"

#include <sys/statvfs.h>

#include <filesystem>
#include <string>

#include <fmt/format.h>

#include "base/error.h"
#include "base/text.h"

namespace barman::consolidate {

void require_space(const catalogue::Catalogue& catalogue, std::uint64_t size_bytes) {
  const std::filesystem::path base = catalogue.locations().basebackups_directory;
  struct statvfs disk = {};
  if (::statvfs(base.c_str(), &disk) != 0) {
    throw_errno(fmt::format("cannot look at the file system of \"{}\"", base.string()));
  }
  const std::uint64_t available = std::uint64_t{disk.f_bavail} * disk.f_frsize;
  if (size_bytes <= available) return;
  throw Error(ErrorKind::io,
              fmt::format("not enough free space in \"{}\": {} are needed, {} are available",
                          base.string(), human_size(static_cast<std::int64_t>(size_bytes)),
                          human_size(static_cast<std::int64_t>(available))),
              "Free space there, and try again.");
}

void refuse_missing_files(const stored::BackupChain& chain) {
  const stored::ChainMember& newest = chain.members().front();
  if (!newest.manifest) return;
  for (const std::string& path :
       newest.manifest->list_unseen([](std::string_view) { return true; }, 1)) {
    throw Error(
        ErrorKind::corrupt,
        fmt::format("backup '{}' is damaged: \"{}\" is missing", newest.info.id.value, path),
        "Take a new full backup.");
  }
}

}  // namespace barman::consolidate
