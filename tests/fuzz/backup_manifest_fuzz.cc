// The first byte says into how large pieces the manifest is cut.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/error.h"
#include "fuzz_target.h"
#include "postgres/backup_manifest.h"

namespace {

class Ignore final : public barman::postgres::ManifestVisitor {
 public:
  void on_version(int) override {}
  void on_system_id(barman::postgres::SystemId) override {}
  void on_file(const barman::postgres::ManifestFile&) override {}
  void on_wal_range(const barman::postgres::ManifestWalRange&) override {}
};

}  // namespace

BARMAN_FUZZ_TARGET(backup_manifest) {
  if (size == 0) return 0;
  const std::size_t step = std::size_t{data[0]} + 1;
  barman::Bytes rest = std::as_bytes(std::span(data + 1, size - 1));
  Ignore visitor;
  try {
    barman::postgres::ManifestParser parser(visitor);
    while (!rest.empty()) {
      const std::size_t count = std::min(step, rest.size());
      parser.feed(rest.first(count));
      rest = rest.subspan(count);
    }
    parser.finish();
  } catch (const barman::Error&) {
    // Refusing is right; crashing is not.
  }
  return 0;
}
