#include "output/json_value.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>

#include <fmt/format.h>

#include "base/json_text.h"
#include "base/text.h"

namespace barman::output {
namespace {

std::string float_text(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  return shortest_float(value);
}

class Dumper {
 public:
  explicit Dumper(const JsonStyle& style) : style_(style) {}

  void write(const JsonValue& value) {
    std::visit([this](const auto& content) { write_content(content); }, value.value());
  }
  std::string take() { return std::move(out_); }

 private:
  void write_content(std::monostate) { out_ += "null"; }
  void write_content(bool value) { out_ += value ? "true" : "false"; }
  void write_content(std::int64_t value) { fmt::format_to(std::back_inserter(out_), "{}", value); }
  void write_content(double value) { out_ += float_text(value); }
  void write_content(const std::string& value) {
    append_json_string(out_, style_.secrets == Secrets::masked ? mask_passwords(value) : value);
  }

  void write_content(const JsonValue::Array& values) {
    if (values.empty()) {
      out_ += "[]";
      return;
    }
    open('[');
    bool is_first = true;
    for (const JsonValue& value : values) {
      separate(is_first);
      write(value);
    }
    close(']');
  }

  void write_content(const JsonValue::Object& members) {
    if (members.empty()) {
      out_ += "{}";
      return;
    }
    open('{');
    bool is_first = true;
    for (const JsonValue::Member* member : ordered(members)) {
      separate(is_first);
      append_json_string(out_, member->key);
      out_ += ": ";
      write(member->value);
    }
    close('}');
  }

  std::vector<const JsonValue::Member*> ordered(const JsonValue::Object& members) const {
    std::vector<const JsonValue::Member*> result;
    result.reserve(members.size());
    for (const JsonValue::Member& member : members) result.push_back(&member);
    if (style_.order == KeyOrder::as_added) return result;
    std::stable_sort(result.begin(), result.end(),
                     [](const auto* a, const auto* b) { return a->key < b->key; });
    // Of equal keys the last one stays.
    std::vector<const JsonValue::Member*> unique;
    unique.reserve(result.size());
    for (const JsonValue::Member* member : result) {
      if (!unique.empty() && unique.back()->key == member->key) unique.pop_back();
      unique.push_back(member);
    }
    return unique;
  }

  void open(char bracket) {
    out_.push_back(bracket);
    ++depth_;
    break_line();
  }
  void close(char bracket) {
    --depth_;
    break_line();
    out_.push_back(bracket);
  }
  void separate(bool& is_first) {
    if (!is_first) {
      out_ += style_.indent > 0 ? "," : ", ";
      break_line();
    }
    is_first = false;
  }
  void break_line() {
    if (style_.indent == 0) return;
    out_.push_back('\n');
    out_.append(depth_ * static_cast<std::size_t>(style_.indent), ' ');
  }

  JsonStyle style_;
  std::string out_;
  std::size_t depth_ = 0;
};

}  // namespace

JsonValue::JsonValue(std::nullptr_t) {}
JsonValue::JsonValue(bool value) : value_(value) {}
JsonValue::JsonValue(int value) : value_(std::int64_t{value}) {}
JsonValue::JsonValue(unsigned value) : value_(std::int64_t{value}) {}
JsonValue::JsonValue(long value) : value_(std::int64_t{value}) {}
JsonValue::JsonValue(unsigned long value) : value_(static_cast<std::int64_t>(value)) {}
JsonValue::JsonValue(double value) : value_(value) {}
JsonValue::JsonValue(std::string value) : value_(std::move(value)) {}
JsonValue::JsonValue(std::string_view value) : value_(std::string(value)) {}
JsonValue::JsonValue(const char* value) : value_(std::string(value)) {}
JsonValue::JsonValue(Array value) : value_(std::move(value)) {}

JsonValue::JsonValue(const std::vector<std::string>& values)
    : value_(Array(values.begin(), values.end())) {}

JsonValue JsonValue::array() { return {Array{}}; }

JsonValue JsonValue::object() {
  JsonValue result;
  result.value_ = Object{};
  return result;
}

void JsonValue::push_back(JsonValue value) {
  if (is_null()) value_ = Array{};
  std::get<Array>(value_).push_back(std::move(value));
}

void JsonValue::add(std::string key, JsonValue value) {
  if (is_null()) value_ = Object{};
  std::get<Object>(value_).push_back(Member{std::move(key), std::move(value)});
}

JsonValue& JsonValue::member(std::string_view key) {
  if (is_null()) value_ = Object{};
  Object& members = std::get<Object>(value_);
  for (Member& member : members) {
    if (member.key == key) return member.value;
  }
  members.push_back(Member{std::string(key), JsonValue()});
  return members.back().value;
}

const JsonValue* JsonValue::find(std::string_view key) const {
  const Object* members = std::get_if<Object>(&value_);
  if (members == nullptr) return nullptr;
  for (const Member& member : *members) {
    if (member.key == key) return &member.value;
  }
  return nullptr;
}

bool operator==(const JsonValue& a, const JsonValue& b) { return a.value_ == b.value_; }

std::string dump(const JsonValue& value, const JsonStyle& style) {
  Dumper dumper(style);
  dumper.write(value);
  return dumper.take();
}

}  // namespace barman::output
