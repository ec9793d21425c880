// .restore-rates of a server: whatever it says, an estimate is made of sensible numbers.
#include <fcntl.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/fd.h"
#include "base/test_support.h"
#include "fuzz_target.h"
#include "restore/restore_rates.h"

BARMAN_FUZZ_TARGET(restore_rates) {
  using namespace barman;
  static const TemporaryDirectory home;
  const std::filesystem::path path = home.path() / ".restore-rates";
  Fd fd = open_file(path, O_WRONLY | O_CREAT | O_TRUNC);
  write_full(fd, as_bytes({reinterpret_cast<const char*>(data), size}), path);
  fd.close(path);
  const std::vector<restore::RestoreRate> rates = restore::read_restore_rates(home.path());
  for (const restore::RestoreRate& rate : rates) {
    if (rate.bytes == 0 || rate.duration.count() <= 0 || rate.kind.empty()) std::abort();
    const restore::ExpectedRate expected = restore::expected_rate(rates, rate.kind);
    if (!std::isfinite(expected.bytes_per_second) || expected.bytes_per_second < 0) std::abort();
  }
  return 0;
}
