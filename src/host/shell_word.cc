#include "host/shell_word.h"

#include <algorithm>

#include "base/text.h"

namespace barman::host {
namespace {

constexpr std::string_view kOrdinaryMarks = "_-.,:+@%/=";

bool is_ordinary(char byte) {
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
         (byte >= '0' && byte <= '9') || kOrdinaryMarks.find(byte) != std::string_view::npos;
}

}  // namespace

std::string shell_word(std::string_view word) {
  // What find(1) puts names in place of. zsh takes "=name" for the path of a program.
  if (word == "{}") return std::string(word);
  const bool stands_for_itself =
      !word.empty() && word.front() != '=' && std::all_of(word.begin(), word.end(), is_ordinary);
  return stands_for_itself ? std::string(word) : shell_quote(word);
}

}  // namespace barman::host
