// The answer of a primary node as a passive one reads it: what is taken is safe to use as a name.
#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/error.h"
#include "fuzz_target.h"
#include "sync/primary_info.h"
#include "wal/wal_file_name.h"

BARMAN_FUZZ_TARGET(primary_info) {
  using namespace barman;
  const Fd file(::memfd_create("in", MFD_CLOEXEC));
  write_full(file, as_bytes({reinterpret_cast<const char*>(data), size}), "in");
  try {
    const sync::PrimaryInfo info =
        sync::read_primary_info(file, "input", [](const wal_archive::WalIndexEntry& entry) {
          if (!wal::parse_wal_file_name(entry.name)) std::abort();
        });
    for (const catalogue::BackupInfo& backup : info.backups) {
      if (!catalogue::is_backup_id(backup.id.value)) std::abort();
      static_cast<void>(catalogue::format_backup_info(backup));
    }
    if (!info.wals_directory.is_absolute()) std::abort();
  } catch (const Error&) {  // Refused, as damaged input should be.
    return 0;
  }
  return 0;
}
