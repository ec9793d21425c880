#include "encryption/passphrase.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/test_support.h"

namespace barman::encryption {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string refusal_of(const std::string& command) {
  try {
    read_passphrase(command);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::config);
    return error.describe();
  }
  return "none";
}

TEST(Passphrase, IsTheFirstLineWithoutTheBlanksAround) {
  EXPECT_EQ(read_passphrase("printf ' open sesame \\n'")->text(), "open sesame");
  EXPECT_EQ(read_passphrase("printf '\\n\\topen\\nsesame\\n'")->text(), "open");
  EXPECT_EQ(read_passphrase("printf x; echo noise >&2")->text(), "x");
  EXPECT_EQ(read_passphrase("head -c 4095 /dev/zero | tr '\\0' z")->text(), std::string(4095, 'z'));
}

TEST(Passphrase, TellsWhyThereIsNone) {
  EXPECT_THAT(refusal_of("echo hush; exit 7"), HasSubstr("Command failed with code 7"));
  EXPECT_THAT(refusal_of("echo hush; exit 7"), Not(HasSubstr("hush")));
  EXPECT_THAT(refusal_of("echo ' '"), HasSubstr("The command returned an empty passphrase"));
  EXPECT_THAT(refusal_of("/nonexistent/command"), HasSubstr("Command failed with code 127"));
  EXPECT_THAT(refusal_of("yes"), HasSubstr("more than 4095 bytes"));
}

TEST(PassphraseSource, AsksOnce) {
  const TemporaryDirectory directory;
  const std::string calls = (directory.path() / "calls").string();
  PassphraseSource source("echo x >> '" + calls + "'; echo secret");
  EXPECT_TRUE(source.is_configured());
  EXPECT_EQ(source.passphrase().text(), "secret");
  EXPECT_EQ(source.passphrase().text(), "secret");
  EXPECT_EQ(get_file(calls), "x\n");
  EXPECT_FALSE(PassphraseSource("").is_configured());
}

TEST(PassphraseSource, AsksAgainAfterAFailure) {
  const TemporaryDirectory directory;
  const std::string mark = (directory.path() / "mark").string();
  PassphraseSource source("test -e '" + mark + "' && echo secret");
  EXPECT_THROW(source.passphrase(), Error);
  put_file(mark, "");
  EXPECT_EQ(source.passphrase().text(), "secret");
}

}  // namespace
}  // namespace barman::encryption
