#include "output/json_value.h"

#include <gtest/gtest.h>

#include <limits>

namespace barman::output {
namespace {

TEST(JsonValue, IsWrittenAsPythonWritesIt) {
  JsonValue value = JsonValue::object();
  value.add("b", JsonValue::Array{1, -2, true, nullptr});
  value.add("a", "x");
  EXPECT_EQ(dump(value), R"({"a": "x", "b": [1, -2, true, null]})");
}

TEST(JsonValue, ShowsFloatsAsReprDoes) {
  EXPECT_EQ(dump(JsonValue(1.0)), "1.0");
  EXPECT_EQ(dump(JsonValue(1.234647)), "1.234647");
  EXPECT_EQ(dump(JsonValue(1795225427.365526)), "1795225427.365526");
  EXPECT_EQ(dump(JsonValue(1e-05)), "1e-05");
  EXPECT_EQ(dump(JsonValue(1e16)), "1e+16");
  EXPECT_EQ(dump(JsonValue(std::numeric_limits<double>::infinity())), "Infinity");
  EXPECT_EQ(dump(JsonValue(std::numeric_limits<double>::quiet_NaN())), "NaN");
}

TEST(JsonValue, EscapesWhatIsNotAscii) {
  EXPECT_EQ(dump(JsonValue("a\"\\\n\t\r\b\f\x01\x7f")),
            "\"a\\\"\\\\\\n\\t\\r\\b\\f\\u0001\\u007f\"");
  EXPECT_EQ(dump(JsonValue("é€")), R"("\u00e9\u20ac")");
  EXPECT_EQ(dump(JsonValue("\xF0\x9F\x90\x98")), R"("\ud83d\udc18")");
}

TEST(JsonValue, KeepsBytesThatAreNotUtf8AsLoneSurrogates) {
  EXPECT_EQ(dump(JsonValue("a\xFF\x62")), R"("a\udcffb")");
  EXPECT_EQ(dump(JsonValue("\xE2\x82")), R"("\udce2\udc82")");
  EXPECT_EQ(dump(JsonValue("\xC0\xAF")), R"("\udcc0\udcaf")");
  EXPECT_EQ(dump(JsonValue("\xED\xA0\x80")), R"("\udced\udca0\udc80")");
}

TEST(JsonValue, IndentsAsPythonDoes) {
  JsonValue value = JsonValue::object();
  value.add("list", JsonValue::Array{1, 2});
  value.add("empty", JsonValue::object());
  value.add("none", JsonValue::array());
  EXPECT_EQ(dump(value, {.indent = 4}),
            "{\n    \"empty\": {},\n    \"list\": [\n        1,\n        2\n    ],\n"
            "    \"none\": []\n}");
}

TEST(JsonValue, KeepsTheOrderOfMembersWhenAsked) {
  JsonValue value = JsonValue::object();
  value.add("z", 1);
  value.add("a", 2);
  EXPECT_EQ(dump(value, {.order = KeyOrder::as_added}), R"({"z": 1, "a": 2})");
}

TEST(JsonValue, LetsTheLaterOfTwoEqualKeysWin) {
  JsonValue value = JsonValue::object();
  value.add("k", 1);
  value.add("j", 0);
  value.add("k", 2);
  EXPECT_EQ(dump(value), R"({"j": 0, "k": 2})");
  value.member("j") = 5;
  EXPECT_EQ(dump(value), R"({"j": 5, "k": 2})");
}

TEST(JsonValue, MasksPasswordsUnlessToldOtherwise) {
  const JsonValue value = "host=a password=secret dbname=b";
  EXPECT_EQ(dump(value), R"("host=a password=*REDACTED* dbname=b")");
  EXPECT_EQ(dump(value, {.secrets = Secrets::shown}), R"("host=a password=secret dbname=b")");
}

TEST(JsonValue, TakesOptionalValues) {
  EXPECT_EQ(dump(JsonValue(std::optional<std::string>())), "null");
  EXPECT_EQ(dump(JsonValue(std::optional<std::string>("on"))), "\"on\"");
  EXPECT_EQ(dump(JsonValue(std::optional<std::int64_t>(7))), "7");
}

}  // namespace
}  // namespace barman::output
