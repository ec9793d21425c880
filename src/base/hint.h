// A message and what the user does next, as all programs tell them.
#pragma once

#include <string>
#include <string_view>

namespace barman {

// What to do about a symbolic link that leads nowhere.
constexpr const char* kHintOfLostLink =
    "Is the disk mounted that it leads to? 'ls -l' with that path shows where.";

// "<message>\nHINT: <hint>"; without a hint the message alone.
std::string with_hint(std::string message, std::string_view hint);
// The same for where there is room for one text only: "<message>. <hint>".
std::string with_hint_inside(std::string message, std::string_view hint);
// Behind a message that has been told already: "HINT: <hint>".
std::string hint_alone(std::string_view hint);

}  // namespace barman
