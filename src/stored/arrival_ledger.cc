#include "stored/arrival_ledger.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/error.h"

namespace barman::stored {
namespace {

constexpr std::uint64_t kConfirmed = std::uint64_t{1} << 63;

[[noreturn]] void throw_unexpected(const std::string& path, const std::string& reason) {
  throw Error(
      ErrorKind::corrupt, "file \"" + path + "\" " + reason,
      "Take the backup again; if this repeats, check the network and the disks of both hosts.");
}

}  // namespace

void ArrivalLedger::add(std::string_view path, std::uint64_t size_bytes, std::uint32_t crc32c) {
  arrivals_.add(path, {.size_and_state = size_bytes, .crc32c = crc32c});
}

void ArrivalLedger::seal() {
  arrivals_.seal();
  const Arrival* const twice = arrivals_.find_double();
  if (twice == nullptr) return;
  throw Error(ErrorKind::corrupt,
              fmt::format("a file of {} bytes arrived twice under one name",
                          twice->size_and_state & ~kConfirmed),
              "Take the backup again.");
}

void ArrivalLedger::confirm(const postgres::ManifestFile& file) {
  Arrival* const found = arrivals_.find(file.path);
  if (found == nullptr) throw_unexpected(file.path, "is in the manifest but did not arrive");
  if ((found->size_and_state & kConfirmed) != 0)
    throw_unexpected(file.path, "is in the manifest twice");
  if (file.algorithm != DigestAlgorithm::crc32c) {
    throw_unexpected(file.path,
                     fmt::format("is in the manifest with a checksum of {} instead of CRC32C",
                                 postgres::manifest_algorithm_name(file.algorithm)));
  }
  const std::uint64_t size_bytes = found->size_and_state & ~kConfirmed;
  if (size_bytes != file.size_bytes) {
    throw_unexpected(
        file.path, fmt::format("arrived with {} bytes instead of {}", size_bytes, file.size_bytes));
  }
  if (crc32c_text(found->crc32c) != file.checksum) {
    throw_unexpected(file.path, "arrived with checksum " + crc32c_text(found->crc32c) +
                                    " instead of " + file.checksum);
  }
  found->size_and_state |= kConfirmed;
}

void ArrivalLedger::finish() const {
  const auto strangers = std::ranges::count_if(arrivals_.rows(), [](const auto& row) {
    return (row.value.size_and_state & kConfirmed) == 0;
  });
  if (strangers > 0) {
    throw Error(ErrorKind::corrupt,
                fmt::format("{} file(s) arrived that the backup manifest does not list", strangers),
                "Take the backup again.");
  }
}

}  // namespace barman::stored
