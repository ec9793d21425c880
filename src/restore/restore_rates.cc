#include "restore/restore_rates.h"

#include <iterator>
#include <optional>

#include <fmt/format.h>

#include "base/durable.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/text.h"

namespace barman::restore {
namespace fs = std::filesystem;

namespace {

constexpr std::size_t kKept = 50;
constexpr std::size_t kCounted = 5;

fs::path path_in(const fs::path& backup_directory) { return backup_directory / ".restore-rates"; }

std::optional<RestoreRate> parse_line(const std::string& line) {
  const std::vector<std::string> words = split_blanks(line);
  if (words.size() != 3) return std::nullopt;
  const std::optional<std::int64_t> bytes = parse_integer(words[1]);
  const std::optional<std::int64_t> milliseconds = parse_integer(words[2]);
  if (!bytes || *bytes <= 0 || !milliseconds || *milliseconds <= 0) return std::nullopt;
  return RestoreRate{.kind = words[0],
                     .bytes = static_cast<std::uint64_t>(*bytes),
                     .duration = std::chrono::milliseconds(*milliseconds)};
}

}  // namespace

std::vector<RestoreRate> read_restore_rates(const fs::path& backup_directory) {
  std::vector<RestoreRate> rates;
  try {
    const std::optional<std::string> text = find_and_read_file(path_in(backup_directory));
    if (!text) return rates;
    for (const std::string& line : split(*text, '\n')) {
      if (std::optional<RestoreRate> rate = parse_line(line)) rates.push_back(std::move(*rate));
    }
  } catch (const Error& error) {
    log::debug("barman.recovery_executor", "No rates of earlier restores: {}", error.describe());
  }
  return rates;
}

ExpectedRate expected_rate(const std::vector<RestoreRate>& rates, std::string_view kind) {
  double bytes = 0;
  std::chrono::duration<double> duration{};
  ExpectedRate expected;
  for (auto rate = rates.rbegin(); rate != rates.rend() && expected.restores < kCounted; ++rate) {
    if (rate->kind != kind || rate->bytes < kLeastBytesOfRate) continue;
    bytes += static_cast<double>(rate->bytes);
    duration += rate->duration;
    ++expected.restores;
  }
  if (expected.restores > 0) {
    expected.source = RateSource::restores;
    expected.bytes_per_second = bytes / duration.count();
  }
  return expected;
}

void note_restore(const fs::path& backup_directory, const RestoreRate& rate) {
  if (rate.bytes == 0 || rate.duration.count() <= 0) return;
  try {
    std::vector<RestoreRate> rates = read_restore_rates(backup_directory);
    rates.push_back(rate);
    if (rates.size() > kKept) rates.erase(rates.begin(), rates.end() - kKept);
    std::string text;
    for (const RestoreRate& known : rates) {
      fmt::format_to(std::back_inserter(text), "{} {} {}\n", known.kind, known.bytes,
                     known.duration.count());
    }
    write_file_durably(path_in(backup_directory), text);
  } catch (const Error& error) {
    log::warning("barman.recovery_executor",
                 "The rate of this restore is not kept for later estimates: {}", error.describe());
  }
}

}  // namespace barman::restore
