// What records say, and the lines of `.minimal-wal`: nothing may crash.
//   first byte: resource manager (modulo 3); second byte: info; the rest: content, or a line
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/fd.h"
#include "catalogue/minimal_wal.h"
#include "fuzz_target.h"
#include "wal/record_content.h"

BARMAN_FUZZ_TARGET(wal_record_content) {
  using namespace barman;
  if (size < 2) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 2, size - 2);
  const wal::RecordView record = {.manager = static_cast<std::uint8_t>(data[0] % 3U),
                                  .info = data[1],
                                  .content = as_bytes(rest.substr(0, wal::kKeptContent))};
  wal::find_transaction_end(record);
  wal::find_restore_point(record);
  wal::find_wal_level(record);
  catalogue::parse_minimal_wal(rest);
  return 0;
}
