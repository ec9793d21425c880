// Python literals, as some values of backup.info are written (docs/formats/backup_info.md): None,
// True, False, integers, floats, texts, lists, tuples and dicts. repr_python() writes what Python's
// repr() writes, byte for byte, so that parse and write are inverse on files made by either
// program.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace barman::catalogue {

struct PythonValue;
struct PythonItem;

struct PythonList {
  std::vector<PythonValue> items;
};
struct PythonTuple {
  std::vector<PythonValue> items;
};
// In the order of the text.
struct PythonDict {
  std::vector<PythonItem> items;
  // The value of a text key, nullptr when absent.
  const PythonValue* find(std::string_view key) const;
  // Replaces or appends.
  void set(std::string_view key, PythonValue value);
};

struct PythonValue {
  std::variant<std::monostate, bool, std::int64_t, double, std::string, PythonList, PythonTuple,
               PythonDict>
      value;

  bool is_none() const { return std::holds_alternative<std::monostate>(value); }
  // nullptr when the value is of another type.
  const std::string* as_text() const { return std::get_if<std::string>(&value); }
  const PythonDict* as_dict() const { return std::get_if<PythonDict>(&value); }
  std::optional<std::int64_t> as_integer() const;
  // Integers count as numbers, too.
  std::optional<double> as_number() const;
  // The elements of a list or a tuple.
  const std::vector<PythonValue>* as_sequence() const;
};

struct PythonItem {
  PythonValue key;
  PythonValue value;
};

bool operator==(const PythonValue& a, const PythonValue& b);

// The whole text as one literal. Throws `corrupt` with the position; nesting is limited to 32.
PythonValue parse_python(std::string_view text);
std::string repr_python(const PythonValue& value);
std::string repr_python(std::string_view text);

}  // namespace barman::catalogue
