#include "base/blake2b.h"

#include <gtest/gtest.h>

#include <string>

#include "base/process.h"
#include "base/text.h"

namespace barman {
namespace {

TEST(Blake2b, IsThatOfB2sum) {
  for (const std::size_t size : {0U, 1U, 128U, 129U, 70'000U}) {
    std::string text;
    for (std::size_t i = 0; i < size; ++i) text += static_cast<char>(i * 7 + i / 256);
    Blake2b checksum;
    const std::size_t half = size / 2;
    checksum.update(as_bytes(std::string_view(text).substr(0, half)));
    checksum.update(as_bytes(std::string_view(text).substr(half)));
    const std::string told =
        run_process({.argv = {"b2sum"}, .environment = {}, .standard_input = text}).standard_output;
    EXPECT_EQ(checksum.finish(), told.substr(0, told.find(' '))) << size;
  }
}

}  // namespace
}  // namespace barman
