// Help texts as words of completion scripts.
#pragma once

#include <string>
#include <string_view>

namespace barman::cli {

// Text inside '[...]' of an _arguments specification of zsh in single quotes.
std::string zsh_text(std::string_view text);
// A word of fish, with its quotes.
std::string fish_text(std::string_view text);

}  // namespace barman::cli
