// The input says which records there are and which bytes of the WAL are damaged: undamaged WAL is
// accepted, damaged WAL is refused or, where the damage does not matter, accepted; nothing else.
//   first byte: number of damages (modulo 8), three bytes each: page-wise place, value
//   each further byte b: a record with a payload of 13 * b bytes; 255: the end of the segment
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string_view>

#include "base/error.h"
#include "fuzz_target.h"
#include "wal/record_checker.h"
#include "wal/test_support.h"

namespace {

using namespace barman;

// Small segments: most of the time of an input would go into the empty rest of large ones.
constexpr std::uint64_t kSmallSegment = 8 * wal::kPage;

// Throws barman::Error for WAL that PostgreSQL would not replay.
void check(std::string_view bytes, std::uint64_t begin, std::uint64_t end, std::size_t piece) {
  wal::RecordChecker checker({.timeline = {1},
                              .begin = {begin},
                              .end = {end},
                              .segment_size = {kSmallSegment},
                              .system_id = wal::kSystem});
  for (std::size_t i = 0; i * kSmallSegment < bytes.size(); ++i) {
    const std::string_view segment = bytes.substr(i * kSmallSegment, kSmallSegment);
    checker.begin_segment({.timeline = {1}, .number = i + 1});
    for (std::size_t at = 0; at < segment.size(); at += piece) {
      checker.write(as_bytes(segment.substr(at, piece)));
    }
    checker.end_segment();
  }
  checker.finish();
}

}  // namespace

BARMAN_FUZZ_TARGET(wal_records) {
  if (size == 0) return 0;
  std::span<const std::uint8_t> rest(data + 1, size - 1);
  const std::size_t wanted = data[0] % 8U;
  if (rest.size() < wanted * 3) return 0;
  const auto damages = rest.first(wanted * 3);
  rest = rest.subspan(wanted * 3);
  if (rest.size() > 400) rest = rest.first(400);

  wal::WalBuilder builder(kSmallSegment);
  const std::uint64_t begin = builder.next_record();
  for (const std::uint8_t byte : rest) {
    if (byte == 255) {
      builder.add_switch();
    } else {
      builder.add_record(std::size_t{13} * byte);
    }
    if (builder.bytes().size() > 16 * kSmallSegment) break;
  }
  if (rest.empty()) builder.add_record(1);
  const std::uint64_t end = builder.position();
  builder.add_switch();
  const std::size_t piece = 100 + (size * 977) % 20000;
  check(builder.bytes(), begin, end, piece);  // Throwing here is a finding.

  std::string damaged = builder.bytes();
  for (std::size_t i = 0; i < damages.size(); i += 3) {
    const std::size_t place = (damages[i] * std::size_t{256} + damages[i + 1]) % damaged.size();
    damaged[place] = static_cast<char>(damages[i + 2]);
  }
  try {
    check(damaged, begin, end, piece);
    check(std::string_view(damaged).substr(0, damaged.size() - size), begin, end, piece);
  } catch (const Error&) {
    // Refusing is right.
  }
  return 0;
}
