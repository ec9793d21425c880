// A JSON document as a value, and its text form exactly as Python's json.dumps() writes it, because
// scripts compare and grep that text: separators ", " and ": ", non-ASCII as \uXXXX, floats as
// repr() prints them.
//
// Objects keep the order in which members were added (sync-info needs it); the usual dump sorts
// the keys. add() is an append: when a key was added twice, the later value wins in the dump.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace barman::output {

class JsonValue {
 public:
  struct Member;
  using Array = std::vector<JsonValue>;
  using Object = std::vector<Member>;

  // Defined below or in the .cc file, where Member is complete.
  JsonValue();
  JsonValue(const JsonValue& other);
  JsonValue(JsonValue&& other) noexcept;
  JsonValue& operator=(const JsonValue& other);
  JsonValue& operator=(JsonValue&& other) noexcept;
  ~JsonValue();

  // NOLINTBEGIN(google-explicit-constructor): a value is written as it is in JSON.
  JsonValue(std::nullptr_t);
  JsonValue(bool value);
  JsonValue(int value);
  JsonValue(unsigned value);
  JsonValue(long value);
  JsonValue(unsigned long value);
  JsonValue(double value);
  JsonValue(std::string value);
  JsonValue(std::string_view value);
  JsonValue(const char* value);
  JsonValue(Array value);
  JsonValue(const std::vector<std::string>& values);
  // The text, or null when there is none.
  template <typename T>
  JsonValue(const std::optional<T>& value) : JsonValue() {
    if (value) *this = JsonValue(*value);
  }
  // NOLINTEND(google-explicit-constructor)

  static JsonValue array();
  static JsonValue object();

  bool is_null() const { return std::holds_alternative<std::monostate>(value_); }
  bool is_object() const { return std::holds_alternative<Object>(value_); }

  // Appends to an array; null becomes an array first.
  void push_back(JsonValue value);
  // Appends a member to an object without looking for the key; null becomes an object first.
  void add(std::string key, JsonValue value);
  // The member of that name, added as null when absent. Linear in the number of members.
  JsonValue& member(std::string_view key);
  const JsonValue* find(std::string_view key) const;

  const std::variant<std::monostate, bool, std::int64_t, double, std::string, Array, Object>&
  value() const {
    return value_;
  }

  friend bool operator==(const JsonValue& a, const JsonValue& b);

 private:
  std::variant<std::monostate, bool, std::int64_t, double, std::string, Array, Object> value_;
};

struct JsonValue::Member {
  std::string key;
  JsonValue value;
  friend bool operator==(const Member& a, const Member& b) = default;
};

inline JsonValue::JsonValue() = default;
inline JsonValue::JsonValue(const JsonValue& other) = default;
inline JsonValue::JsonValue(JsonValue&& other) noexcept = default;
inline JsonValue& JsonValue::operator=(const JsonValue& other) = default;
inline JsonValue& JsonValue::operator=(JsonValue&& other) noexcept = default;
inline JsonValue::~JsonValue() = default;

enum class KeyOrder { sorted, as_added };
// Passwords in connection strings are replaced by *REDACTED* in every string.
enum class Secrets { masked, shown };

struct JsonStyle {
  int indent = 0;  // 0 = one line; else one member a line
  KeyOrder order = KeyOrder::sorted;
  Secrets secrets = Secrets::masked;
};

std::string dump(const JsonValue& value, const JsonStyle& style = {});

}  // namespace barman::output
