// The list of checksums in a put-wal stream: names are not empty, checksums are lower-case hex
// digits, and a line that was taken is taken again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "fuzz_target.h"
#include "wal_transfer/checksum_list.h"

BARMAN_FUZZ_TARGET(checksum_list) {
  using namespace barman::wal_transfer;
  const ChecksumList list =
      parse_checksum_list(std::string_view(reinterpret_cast<const char*>(data), size));
  for (const std::string& line : list.bad_lines) {
    if (line.empty() || line.size() > 203) std::abort();
  }
  for (const auto& [name, checksum] : list.checksums) {
    if (name.empty() || name.find('\n') != std::string::npos || checksum.empty()) std::abort();
    if (checksum.find_first_not_of("0123456789abcdef") != std::string::npos) std::abort();
    const ChecksumList again = parse_checksum_list(checksum + " *./" + name + "\n");
    if (again.checksums.size() != 1 || again.checksums.begin()->second != checksum) std::abort();
  }
  return 0;
}
