// What somebody may have meant by a word that is not among the known ones.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace barman {

// How many letters must be put in, taken out, replaced or swapped with their neighbour to make one
// word of the other. Upper and lower case are the same.
std::size_t edit_distance(std::string_view a, std::string_view b);

// The candidate that is nearest to `word`; nullopt when none is near (a third of the letters may
// differ, at most `most`), or several are equally near. A beginning of one candidate only is near,
// too.
std::optional<std::string_view> find_nearest(std::string_view word,
                                             std::span<const std::string_view> candidates,
                                             std::size_t most = 3);

// "Did you mean 'restore'?", for the candidate that find_nearest() finds; empty for none.
std::string did_you_mean(std::string_view word, std::span<const std::string_view> candidates,
                         std::size_t most = 3);

}  // namespace barman
