// backup_label, timeline history and pg_control; the first byte chooses.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/error.h"
#include "fuzz_target.h"
#include "postgres/backup_label.h"
#include "postgres/control_file.h"
#include "postgres/timeline_history.h"

BARMAN_FUZZ_TARGET(recovery_files) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  try {
    switch (data[0] % 3) {
      case 0:
        barman::postgres::parse_backup_label(text);
        break;
      case 1:
        barman::postgres::parse_timeline_history(barman::wal::TimelineId{3}, text);
        break;
      default:
        barman::postgres::parse_control_file(barman::as_bytes(text));
        break;
    }
  } catch (const barman::Error&) {
    // Refusing is right; crashing is not.
  }
  return 0;
}
