#include "encryption/gpg_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace barman::encryption {
namespace {

using ::testing::HasSubstr;

GpgReport report(const std::string& status, int exit_code, const std::string& messages = {}) {
  GpgReport result;
  // In pieces, as a pipe gives them.
  for (const char byte : status) result.add_status(std::string(1, byte));
  result.add_messages(messages);
  result.set_exit_code(exit_code);
  return result;
}

TEST(GpgReport, EncryptedIsWhatWasSaidAndExitedWithZero) {
  const std::string done = "[GNUPG:] BEGIN_ENCRYPTION 2 9\n[GNUPG:] END_ENCRYPTION\n";
  EXPECT_TRUE(report(done, 0).has_encrypted());
  EXPECT_FALSE(report(done, 2).has_encrypted());
  EXPECT_FALSE(report("[GNUPG:] BEGIN_ENCRYPTION 2 9\n", 0).has_encrypted());
  EXPECT_FALSE(report("gpg: [GNUPG:] END_ENCRYPTION\n", 0).has_encrypted());
}

TEST(GpgReport, TellsHowItEnded) {
  const Error error = report("", 2, "gpg: reading it\ngpg: read error: Input/output error\n")
                          .encryption_error("x", "k");
  EXPECT_EQ(error.kind(), ErrorKind::io);
  EXPECT_EQ(
      error.message(),
      "cannot encrypt \"x\" for key 'k': gpg ended before all was encrypted, with exit code 2: "
      "read error: Input/output error");
  EXPECT_THAT(report("", 137).decryption_error("x").message(), HasSubstr("by signal 9"));
}

TEST(GpgReport, KnowsWhatIsTheFaultOfTheFile) {
  const auto kind = [](const std::string& status, int exit_code) {
    return report(status, exit_code).decryption_error("x").kind();
  };
  EXPECT_EQ(kind("[GNUPG:] NODATA 1\n[GNUPG:] FAILURE decrypt 4294967295\n", 2),
            ErrorKind::corrupt);
  EXPECT_EQ(kind("[GNUPG:] BADMDC\n[GNUPG:] DECRYPTION_FAILED\n", 2), ErrorKind::corrupt);
  EXPECT_EQ(kind("[GNUPG:] ERROR pkdecrypt_failed 67108875\n[GNUPG:] DECRYPTION_FAILED\n", 2),
            ErrorKind::config);
  EXPECT_EQ(kind("[GNUPG:] NO_SECKEY 12\n[GNUPG:] DECRYPTION_FAILED\n", 2), ErrorKind::config);
  EXPECT_EQ(kind("[GNUPG:] DECRYPTION_OKAY\n", 2), ErrorKind::io);
  EXPECT_EQ(kind("[GNUPG:] FAILURE decrypt 32773\n", 2), ErrorKind::io);
  EXPECT_EQ(kind("", 139), ErrorKind::io);
}

TEST(GpgReport, NamesTheProblemOfTheKey) {
  const Error error =
      report("[GNUPG:] INV_RECP 10 k\n[GNUPG:] FAILURE encrypt 53\n", 2).encryption_error("x", "k");
  EXPECT_EQ(error.kind(), ErrorKind::config);
  EXPECT_THAT(error.message(), HasSubstr("not trusted"));
}

}  // namespace
}  // namespace barman::encryption
