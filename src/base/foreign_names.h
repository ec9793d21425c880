// Names that file systems put into directories of ours.
#pragma once

#include <string_view>

namespace barman {

// `lost+found` of ext4, `.nfs0000…` of NFS, snapshots of filers, ZFS and Btrfs: neither WAL nor
// damage, and never to be moved or removed.
inline bool is_name_of_file_system(std::string_view name) {
  return name == "lost+found" || name == ".snapshot" || name == ".snapshots" || name == ".zfs" ||
         name.starts_with(".nfs");
}

}  // namespace barman
