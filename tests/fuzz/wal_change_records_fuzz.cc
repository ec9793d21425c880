// What records say of changes, and rows of catalogues: nothing may crash.
//   first byte: resource manager; second: info; third: version; the rest: content, or a page
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "fuzz_target.h"
#include "postgres/catalogue_rows.h"
#include "wal/change_records.h"

BARMAN_FUZZ_TARGET(wal_change_records) {
  using namespace barman;
  if (size < 3) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 3, size - 3);
  const int major = 13 + data[2] % 6;
  const wal::RecordView record = {.transaction = 700,
                                  .manager = static_cast<std::uint8_t>(data[0] % 18U),
                                  .info = data[1],
                                  .content = as_bytes(rest),
                                  .content_bytes = static_cast<std::uint32_t>(rest.size()),
                                  .server_major = major};
  wal::find_finished_transaction(record);
  wal::find_changed_block(record);
  wal::find_row_number(record);
  if (const auto columns = wal::find_inserted_columns(record)) {
    postgres::named_row_of(*columns);
    postgres::class_row_of(*columns, major);
  }
  wal::find_page_image(record);
  wal::find_created_storage(record);
  wal::find_dropped_database(record);
  wal::find_created_database(record);
  std::string page(rest);
  page.resize(8192);
  postgres::visit_named_rows(as_bytes(page), [](const postgres::NamedRow&) {});
  postgres::visit_class_rows(as_bytes(page), major, [](const postgres::ClassRow&) {});
  postgres::parse_file_map(as_bytes(rest));
  return 0;
}
