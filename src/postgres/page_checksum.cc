#include "postgres/page_checksum.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "base/text.h"

namespace barman::postgres {
namespace {

// PageHeaderData.
constexpr std::size_t kChecksumOffset = 8;
constexpr std::size_t kUpperOffset = 14;

// Blocks in one segment file of a relation: 1 GiB, the default of --with-segsize.
constexpr std::uint32_t kBlocksPerFile = (std::uint32_t{1} << 30) / kPageSize;

// FNV-1a in 32 lanes beside each other, which compilers turn into vector instructions.
constexpr std::size_t kLanes = 32;
constexpr std::uint32_t kPrime = 16777619;
constexpr std::size_t kRounds = kPageSize / sizeof(std::uint32_t) / kLanes;
using Lanes = std::array<std::uint32_t, kLanes>;
constexpr Lanes kInitial = {
    0x5B1F36E9, 0xB8525960, 0x02AB50AA, 0x1DE66D2A, 0x79FF467A, 0x9BB9F8A3, 0x217E7CD2, 0x83E13D2C,
    0xF8D4474F, 0xE39EB970, 0x42C6AE16, 0x993216FA, 0x7B093B5D, 0x98DAFF3C, 0xF718902A, 0x0B1C9CDB,
    0xE58F764B, 0x187636BC, 0x5D7B3BB1, 0xE73DE7DE, 0x92BEC979, 0xCCA6C0B2, 0x304A0979, 0x85AA43D4,
    0x783125BB, 0x6CA8EAA2, 0xE407EAC6, 0x4B5CFC3E, 0x9FBF8C76, 0x15CA20BE, 0xF2CA9FD3, 0x959BD756};

std::uint32_t mix(std::uint32_t lane, std::uint32_t value) {
  const std::uint32_t mixed = lane ^ value;
  return (mixed * kPrime) ^ (mixed >> 17);
}

template <typename T>
T load_from(Bytes page, std::size_t offset) {
  T value{};
  std::memcpy(&value, page.data() + offset, sizeof value);
  return value;
}

bool is_number(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(),
                                      [](char letter) { return letter >= '0' && letter <= '9'; });
}

// "16384", "16384_fsm", "16384.2": the number of the segment file.
std::optional<std::uint32_t> parse_relation_name(std::string_view name) {
  std::uint32_t segment = 0;
  if (const std::size_t dot = name.find('.'); dot != std::string_view::npos) {
    const std::string_view number = name.substr(dot + 1);
    const auto parsed = std::from_chars(number.data(), number.data() + number.size(), segment);
    if (parsed.ec != std::errc() || parsed.ptr != number.data() + number.size()) {
      return std::nullopt;
    }
    name = name.substr(0, dot);
  }
  if (const std::size_t fork = name.find('_'); fork != std::string_view::npos) {
    const std::string_view kind = name.substr(fork + 1);
    if (kind != "fsm" && kind != "vm" && kind != "init") return std::nullopt;
    name = name.substr(0, fork);
  }
  return is_number(name) ? std::optional(segment) : std::nullopt;
}

// The directories in which relations are: "global", "base/5", "pg_tblspc/16384/PG_15_202209061/5".
bool is_relation_directory(std::string_view directory) {
  if (directory == "global") return true;
  const std::size_t slash = directory.rfind('/');
  if (slash == std::string_view::npos || !is_number(directory.substr(slash + 1))) return false;
  const std::string_view parent = directory.substr(0, slash);
  if (parent == "base") return true;
  const std::size_t version = parent.rfind('/');
  return parent.starts_with("pg_tblspc/") && version != std::string_view::npos &&
         parent.substr(version + 1).starts_with("PG_");
}

}  // namespace

std::optional<RelationFile> parse_relation_path(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos || !is_relation_directory(path.substr(0, slash))) {
    return std::nullopt;
  }
  const auto segment = parse_relation_name(path.substr(slash + 1));
  if (!segment) return std::nullopt;
  return RelationFile{.first_block = *segment * kBlocksPerFile};
}

std::uint16_t page_checksum(Bytes page, std::uint32_t block) {
  Lanes sums = kInitial;
  for (std::size_t round = 0; round < kRounds; ++round) {
    Lanes values{};
    std::memcpy(values.data(), page.data() + round * sizeof values, sizeof values);
    // The checksum does not cover itself.
    if (round == 0) values[kChecksumOffset / sizeof(std::uint32_t)] &= 0xFFFF0000U;
    for (std::size_t lane = 0; lane < kLanes; ++lane) sums[lane] = mix(sums[lane], values[lane]);
  }
  std::uint32_t result = 0;
  for (std::uint32_t sum : sums) {
    for (int round = 0; round < 2; ++round) sum = mix(sum, 0);
    result ^= sum;
  }
  // Never 0, which would mean "no checksum".
  return static_cast<std::uint16_t>((result ^ block) % 65535 + 1);
}

PageState check_page(Bytes page, std::uint32_t block, wal::Lsn changed_since) {
  if (load_from<std::uint16_t>(page, kUpperOffset) == 0) {
    const bool is_zero =
        std::all_of(page.begin(), page.end(), [](std::byte byte) { return byte == std::byte{0}; });
    return is_zero ? PageState::empty : PageState::damaged;
  }
  const std::uint64_t lsn = (std::uint64_t{load_from<std::uint32_t>(page, 0)} << 32) |
                            load_from<std::uint32_t>(page, sizeof(std::uint32_t));
  if (lsn >= changed_since.value) return PageState::replayed;
  return load_from<std::uint16_t>(page, kChecksumOffset) == page_checksum(page, block)
             ? PageState::good
             : PageState::damaged;
}

}  // namespace barman::postgres
