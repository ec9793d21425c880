#include "config/option_words.h"

#include "base/text.h"

namespace barman::config {
namespace {

std::string words_text(const Option& option) { return join(split_blanks(option.words), ", "); }

}  // namespace

std::string allowed_values(const Option& option) {
  switch (option.type) {
    case OptionType::boolean:
      return "on or off";
    case OptionType::integer:
      return "a number";
    case OptionType::natural:
    case OptionType::count:
      return "a number that is not negative";
    case OptionType::positive:
      return "a number that is 1 or more";
    case OptionType::word:
    case OptionType::cased_word:
    case OptionType::one_word:
      return "one of: " + words_text(option);
    case OptionType::word_set:
      return "a comma separated list of: " + words_text(option);
    case OptionType::interval:
      return "a number of hours, days, weeks or months (\"7 days\")";
    case OptionType::size:
      return "a size with an optional unit k, Ki, M, Mi, G, Gi, T, Ti (\"30Gi\")";
    case OptionType::path:
      return "a path";
    case OptionType::absolute_path:
      return "an absolute path";
    case OptionType::location:
      return "a path or a cloud URL";
    case OptionType::slot:
      return "the name of a replication slot";
    case OptionType::list:
      return "a comma separated list";
    case OptionType::level:
      return "low, medium, high or a number";
    case OptionType::rate:
      return "kilobytes a second";
    case OptionType::tablespace_limits:
      return "NAME:KILOBYTES pairs separated by blanks";
    case OptionType::retention:
      return "REDUNDANCY n, or RECOVERY WINDOW OF n DAYS, WEEKS or MONTHS";
    case OptionType::hexadecimal:
      return "a hexadecimal number (\"0x1f8b\")";
    case OptionType::text:
      break;
  }
  return "text";
}

std::string example_value(const Option& option) {
  switch (option.type) {
    case OptionType::boolean:
      return "on";
    case OptionType::word:
    case OptionType::cased_word:
    case OptionType::one_word:
    case OptionType::word_set:
      return split_blanks(option.words).front();
    case OptionType::integer:
    case OptionType::natural:
    case OptionType::positive:
    case OptionType::count:
      return option.default_text.empty() || option.default_text == "0"
                 ? "2"
                 : std::string(option.default_text);
    case OptionType::interval:
      return "7 days";
    case OptionType::size:
      return "30Gi";
    case OptionType::absolute_path:
      return "/var/lib/barman/staging";
    case OptionType::location:
      return "/var/lib/barman/main/" + std::string(option.name.substr(0, option.name.find('_')));
    case OptionType::slot:
      return "barman";
    case OptionType::list:
      return "disk1,disk2";
    case OptionType::level:
      return "medium";
    case OptionType::rate:
      return "10240";
    case OptionType::tablespace_limits:
      return "tbs1:10240";
    case OptionType::retention:
      return "RECOVERY WINDOW OF 7 DAYS";
    case OptionType::hexadecimal:
      return "0x1f8b";
    case OptionType::text:
    case OptionType::path:
      break;
  }
  return {};
}

}  // namespace barman::config
