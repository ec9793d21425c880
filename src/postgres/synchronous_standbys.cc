#include "postgres/synchronous_standbys.h"

#include <algorithm>

#include "base/text.h"

namespace barman::postgres {
namespace {

constexpr std::string_view kEndOfWord = " \t\r\n\f\v,()\"";

// The words of the setting: names, numbers, and the signs ',', '(' and ')'.
struct Word {
  std::string text;
  bool is_sign = false;
};

// A name in double quotes; `i` is behind the first one, and then behind the last.
std::string quoted_member(std::string_view setting, std::size_t& i) {
  std::string name;
  for (; i < setting.size(); ++i) {
    if (setting[i] == '"' && setting.substr(i + 1, 1) != "\"") break;
    if (setting[i] == '"') ++i;
    name += setting[i];
  }
  ++i;
  return name;
}

std::vector<Word> words_of(std::string_view setting) {
  std::vector<Word> words;
  std::size_t i = 0;
  while (i < setting.size()) {
    const char next = setting[i];
    if (next == '"') {
      words.push_back({.text = quoted_member(setting, ++i)});
    } else if (next == ',' || next == '(' || next == ')') {
      words.push_back({.text = std::string(1, next), .is_sign = true});
      ++i;
    } else if (kEndOfWord.find(next) != std::string_view::npos) {
      ++i;
    } else {
      const std::size_t end = std::min(setting.find_first_of(kEndOfWord, i), setting.size());
      words.push_back({.text = std::string(setting.substr(i, end - i))});
      i = end;
    }
  }
  return words;
}

}  // namespace

std::vector<std::string> synchronous_standbys(std::string_view setting) {
  const std::vector<Word> words = words_of(setting);
  const auto is_open = [](const Word& word) { return word.is_sign && word.text == "("; };
  const auto open = std::find_if(words.begin(), words.end(), is_open);
  std::vector<std::string> names;
  for (auto word = open == words.end() ? words.begin() : open + 1; word != words.end(); word += 2) {
    if (word->is_sign) break;
    names.push_back(word->text);
    if (word + 1 == words.end() || (word + 1)->text != ",") break;
  }
  return names;
}

bool is_synchronous_standby(std::string_view setting, std::string_view application_name) {
  const std::vector<std::string> names = synchronous_standbys(setting);
  return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
    return name == "*" || to_lower(name) == to_lower(application_name);
  });
}

}  // namespace barman::postgres
