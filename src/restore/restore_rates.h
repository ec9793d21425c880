// How quick earlier restores of a server were: the estimate for the next one.
//
// Kept in `.restore-rates` of the backup directory, a line a restore, "KIND BYTES MILLISECONDS",
// the oldest first. It is no part of the catalogue: nothing else depends on it, lines that cannot
// be understood are passed over, and it may be deleted at any time.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace barman::restore {

struct RestoreRate {
  // What the rate depends on, without blanks: "full", "incremental,zstd,gpg", "full,in-place".
  std::string kind;
  // Written, WAL included.
  std::uint64_t bytes = 0;
  std::chrono::milliseconds duration{};
  friend bool operator==(const RestoreRate&, const RestoreRate&) = default;
};

enum class RateSource { unknown, restores, backup, bandwidth_limit };

struct ExpectedRate {
  double bytes_per_second = 0;
  RateSource source = RateSource::unknown;
  // How many, when they are the source.
  std::size_t restores = 0;
};

// Of less no rate is taken: what took the time was something else.
inline constexpr std::uint64_t kLeastBytesOfRate = std::uint64_t{8} << 20;

// Those that can be understood; none when there is no such file or it cannot be read.
std::vector<RestoreRate> read_restore_rates(const std::filesystem::path& backup_directory);
// The bytes of the last five restores of this kind that wrote kLeastBytesOfRate, by the time that
// they took, or unknown.
ExpectedRate expected_rate(const std::vector<RestoreRate>& rates, std::string_view kind);
// Adds a restore and forgets the oldest of more than 50. Durable. Of two at once, one may be lost.
// A failure is only logged: the restore itself is done.
void note_restore(const std::filesystem::path& backup_directory, const RestoreRate& rate);

}  // namespace barman::restore
