#include "base/hex.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace barman {
namespace {

TEST(Hex, IsReadAsItIsWritten) {
  const std::string bytes("\x00\x7f\x80\xff\x0a", 5);
  EXPECT_EQ(hex_of(bytes), "007f80ff0a");
  EXPECT_EQ(bytes_of_hex("007f80FF0A"), bytes);
  EXPECT_EQ(bytes_of_hex(""), "");
}

TEST(Hex, RefusesWhatIsNone) {
  EXPECT_THROW(bytes_of_hex("0"), Error);
  EXPECT_THROW(bytes_of_hex("0g"), Error);
}

}  // namespace
}  // namespace barman
