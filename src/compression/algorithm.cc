#include "compression/algorithm.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace barman::compression {
namespace {

using namespace std::string_view_literals;

struct Facts {
  Algorithm algorithm;
  std::string_view name;
  std::string_view extension;
  std::string_view magic;
  int minimum;
  int maximum;
  int low;
  int medium;
  int high;
};

constexpr std::array kFacts = {
    Facts{Algorithm::bzip2, "bzip2", ".bz2", "BZh"sv, 1, 9, 1, 5, 9},
    Facts{Algorithm::gzip, "gzip", ".gz", "\x1f\x8b\x08"sv, 1, 9, 1, 6, 9},
    Facts{Algorithm::lz4, "lz4", ".lz4", "\x04\x22\x4d\x18"sv, 0, 16, 0, 6, 10},
    Facts{Algorithm::snappy, "snappy", ".snappy", "\xff\x06\x00\x00sNaPpY"sv, 0, 0, 0, 0, 0},
    Facts{Algorithm::xz, "xz", ".xz",
          "\xfd"
          "7zXZ\0"sv,
          1, 9, 1, 3, 5},
    Facts{Algorithm::zstd, "zstd", ".zst", "\x28\xb5\x2f\xfd"sv, -22, 22, 1, 4, 9},
};

const Facts& facts_of(Algorithm algorithm) {
  return *std::find_if(kFacts.begin(), kFacts.end(),
                       [&](const Facts& facts) { return facts.algorithm == algorithm; });
}

}  // namespace

std::string_view to_text(Algorithm algorithm) { return facts_of(algorithm).name; }

std::string_view file_extension(Algorithm algorithm) { return facts_of(algorithm).extension; }

std::string_view suffix_of(Algorithm algorithm) { return facts_of(algorithm).extension; }

std::optional<Algorithm> take_suffix(std::string_view& name) {
  for (const Facts& facts : kFacts) {
    if (!name.ends_with(facts.extension)) continue;
    name.remove_suffix(facts.extension.size());
    return facts.algorithm;
  }
  return std::nullopt;
}

std::optional<Algorithm> parse_algorithm(std::string_view name) {
  if (name == "pigz" || name == "pygzip") return Algorithm::gzip;
  if (name == "pybzip2") return Algorithm::bzip2;
  for (const Facts& facts : kFacts) {
    if (facts.name == name) return facts.algorithm;
  }
  return std::nullopt;
}

std::optional<Algorithm> detect(Bytes first_bytes) {
  for (const Facts& facts : kFacts) {
    if (as_text(first_bytes).starts_with(facts.magic)) return facts.algorithm;
  }
  return std::nullopt;
}

int resolve_level(Algorithm algorithm, std::string_view level) {
  const Facts& facts = facts_of(algorithm);
  if (level == "low") return facts.low;
  if (level == "high") return facts.high;
  const std::optional<std::int64_t> number = parse_integer(level);
  if (!number) return facts.medium;
  return static_cast<int>(std::clamp<std::int64_t>(*number, facts.minimum, facts.maximum));
}

}  // namespace barman::compression
