// What parses must come out of format and parse again as the same text.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/error.h"
#include "catalogue/backup_info.h"
#include "fuzz_target.h"

BARMAN_FUZZ_TARGET(backup_info) {
  using namespace barman::catalogue;
  const BackupId id{"20261121T014237"};
  std::string once;
  try {
    once = format_backup_info(
        parse_backup_info({reinterpret_cast<const char*>(data), size}, id, "input"));
  } catch (const barman::Error&) {
    return 0;
  }
  // Outside of the try block: what we wrote ourselves must be readable.
  if (format_backup_info(parse_backup_info(once, id, "again")) != once) std::abort();
  return 0;
}
