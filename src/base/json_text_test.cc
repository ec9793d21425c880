#include "base/json_text.h"

#include <gtest/gtest.h>

namespace barman {
namespace {

using namespace std::string_literals;

TEST(JsonText, EscapesQuotesAndControlCharacters) {
  EXPECT_EQ(json_string(R"(a "b" \ c)"), R"("a \"b\" \\ c")");
  EXPECT_EQ(json_string("\n\t\r\b\f"), R"("\n\t\r\b\f")");
  EXPECT_EQ(json_string("\0\x01\x1f\x7f"s), R"("\u0000\u0001\u001f\u007f")");
}

// json.dumps() of the same texts.
TEST(JsonText, IsAsciiAsPythonWritesIt) {
  EXPECT_EQ(json_string("é€"), R"("\u00e9\u20ac")");
  EXPECT_EQ(json_string("\xF0\x9F\x90\x98"), R"("\ud83d\udc18")");
  EXPECT_EQ(json_string("a\xFF\xC3("), R"("a\udcff\udcc3(")");
  EXPECT_EQ(json_string("\xC0\xAF\xED\xA0\x80"), R"("\udcc0\udcaf\udced\udca0\udc80")");
}

// escape_json() of PostgreSQL.
TEST(JsonText, KeepsUtf8WhereItIsAskedFor) {
  EXPECT_EQ(json_string("é \"\n\x01\x7f", JsonCharacters::utf8), "\"é \\\"\\n\\u0001\x7f\"");
}

}  // namespace
}  // namespace barman
