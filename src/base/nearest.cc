#include "base/nearest.h"

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

#include "base/text.h"

namespace barman {
namespace {

constexpr std::size_t kLongestWord = 128;
constexpr std::size_t kShortestBeginning = 3;

std::optional<std::string_view> only_one_that_begins_with(
    std::string_view word, std::span<const std::string_view> candidates) {
  std::optional<std::string_view> found;
  if (word.size() < kShortestBeginning) return found;
  for (const std::string_view candidate : candidates) {
    if (to_lower(candidate.substr(0, word.size())) != to_lower(word)) continue;
    if (found && *found != candidate) return std::nullopt;
    found = candidate;
  }
  return found;
}

}  // namespace

std::size_t edit_distance(std::string_view a, std::string_view b) {
  const std::string left = to_lower(a.substr(0, kLongestWord));
  const std::string right = to_lower(b.substr(0, kLongestWord));
  // Three rows of the table: a swap looks two rows back.
  std::vector<std::size_t> before_last(right.size() + 1);
  std::vector<std::size_t> last(right.size() + 1);
  std::vector<std::size_t> row(right.size() + 1);
  std::iota(last.begin(), last.end(), std::size_t{0});
  for (std::size_t i = 1; i <= left.size(); ++i) {
    row[0] = i;
    for (std::size_t k = 1; k <= right.size(); ++k) {
      const std::size_t replaced = last[k - 1] + (left[i - 1] == right[k - 1] ? 0U : 1U);
      row[k] = std::min({last[k] + 1, row[k - 1] + 1, replaced});
      const bool is_swap =
          i > 1 && k > 1 && left[i - 1] == right[k - 2] && left[i - 2] == right[k - 1];
      if (is_swap) row[k] = std::min(row[k], before_last[k - 2] + 1);
    }
    std::swap(before_last, last);
    std::swap(last, row);
  }
  return last[right.size()];
}

std::optional<std::string_view> find_nearest(std::string_view word,
                                             std::span<const std::string_view> candidates,
                                             std::size_t most) {
  if (const auto found = only_one_that_begins_with(word, candidates)) return found;
  // Of two letters one may be wrong.
  const std::size_t limit = std::min(most, std::max<std::size_t>(word.size() / 3, 1));
  std::optional<std::string_view> found;
  std::size_t least = limit + 1;
  bool is_ambiguous = false;
  for (const std::string_view candidate : candidates) {
    const std::size_t distance = edit_distance(word, candidate);
    if (distance >= std::max(word.size(), candidate.size())) continue;  // nothing in common
    if (distance < least) {
      least = distance;
      found = candidate;
      is_ambiguous = false;
    } else if (distance == least && found != candidate) {
      is_ambiguous = true;
    }
  }
  return is_ambiguous ? std::nullopt : found;
}

std::string did_you_mean(std::string_view word, std::span<const std::string_view> candidates,
                         std::size_t most) {
  const auto found = find_nearest(word, candidates, most);
  return found ? "Did you mean '" + std::string(*found) + "'?" : std::string();
}

}  // namespace barman
