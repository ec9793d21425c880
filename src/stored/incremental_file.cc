#include "stored/incremental_file.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>

#include <fmt/format.h>

#include "base/error.h"

namespace barman::stored {
namespace {

constexpr std::string_view kPrefix = "INCREMENTAL.";
constexpr std::uint32_t kIncrementalMagic = 0xd3ae1f0d;
// Segment files have 131072 blocks, unless PostgreSQL was built otherwise; beyond this it is
// damage.
constexpr std::uint32_t kMaxBlockCount = std::uint32_t{1} << 23;
// How many block numbers are read at a time.
constexpr std::size_t kNumbersAtOnce = 16384;

// magic, number of blocks, truncation block length; little-endian
struct FixedPart {
  std::uint32_t magic = 0;
  std::uint32_t block_count = 0;
  std::uint32_t truncation_block_length = 0;
};
static_assert(sizeof(FixedPart) == 12);

[[noreturn]] void fail(const std::string& name, const std::string& reason) {
  throw Error(ErrorKind::corrupt,
              fmt::format("\"{}\" is not an incremental file: {}", name, reason),
              "Choose another backup, or put an intact copy of the file in place.");
}

void read_numbers(ContentFile& file, const std::string& name, std::uint32_t count,
                  std::vector<std::uint32_t>& numbers) {
  // Grows with what is there, not with what a damaged header promises.
  std::vector<std::uint32_t> part(std::min<std::size_t>(count, kNumbersAtOnce));
  while (numbers.size() < count) {
    const std::size_t wanted = std::min<std::size_t>(count - numbers.size(), part.size());
    const MutableBytes buffer = std::as_writable_bytes(std::span(part).first(wanted));
    const std::uint64_t offset = sizeof(FixedPart) + numbers.size() * sizeof(std::uint32_t);
    if (file.read_at(offset, buffer) != buffer.size()) fail(name, "it ends within its header");
    numbers.insert(numbers.end(), part.begin(), part.begin() + static_cast<std::ptrdiff_t>(wanted));
  }
}

}  // namespace

std::uint32_t IncrementalHeader::block_count() const {
  return blocks.empty() ? truncation_block_length
                        : std::max(truncation_block_length, blocks.back() + 1);
}

IncrementalHeader read_incremental_header(ContentFile& file, const std::string& name) {
  std::array<std::byte, sizeof(FixedPart)> bytes{};
  if (file.read_at(0, bytes) != bytes.size()) fail(name, "it is too short");
  FixedPart fixed;
  std::memcpy(&fixed, bytes.data(), sizeof(fixed));
  if (fixed.magic != kIncrementalMagic)
    fail(name, fmt::format("its magic number is {:#x}", fixed.magic));
  if (fixed.block_count > kMaxBlockCount || fixed.truncation_block_length > kMaxBlockCount) {
    fail(name, fmt::format("{} blocks of a file of {} blocks are too many", fixed.block_count,
                           fixed.truncation_block_length));
  }
  IncrementalHeader header{.truncation_block_length = fixed.truncation_block_length};
  read_numbers(file, name, fixed.block_count, header.blocks);
  const auto is_ascending = std::adjacent_find(header.blocks.begin(), header.blocks.end(),
                                               std::greater_equal<>()) == header.blocks.end();
  if (!is_ascending) fail(name, "its block numbers are not in order");
  if (!header.blocks.empty() && header.blocks.back() >= kMaxBlockCount) {
    fail(name, fmt::format("block number {} is too large", header.blocks.back()));
  }
  const std::uint64_t used = sizeof(FixedPart) + header.blocks.size() * sizeof(std::uint32_t);
  // The content is aligned, if there is any.
  header.size_bytes =
      header.blocks.empty() ? used : (used + kBlockSize - 1) / kBlockSize * kBlockSize;
  return header;
}

std::optional<std::string> complete_name(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  const std::size_t begin = slash == std::string_view::npos ? 0 : slash + 1;
  const std::string_view name = path.substr(begin);
  if (!name.starts_with(kPrefix) || name.size() == kPrefix.size()) return std::nullopt;
  return std::string(path.substr(0, begin)).append(name.substr(kPrefix.size()));
}

bool holds_relations(std::string_view manifest_prefix, std::string_view path) {
  return !manifest_prefix.empty() || path.starts_with("base/") || path.starts_with("global/") ||
         path.starts_with("pg_tblspc/");
}

std::string incremental_name(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  const std::size_t begin = slash == std::string_view::npos ? 0 : slash + 1;
  return std::string(path.substr(0, begin)).append(kPrefix).append(path.substr(begin));
}

}  // namespace barman::stored
