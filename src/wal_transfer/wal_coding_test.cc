#include "wal_archive/wal_coding.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"
#include "compression/codec.h"
#include "compression/stored_file.h"
#include "encryption/test_support.h"
#include "wal_archive/archive_wal.h"
#include "wal_archive/wal_archive.h"
#include "wal_transfer/get_wal.h"
#include "wal_transfer/test_support.h"

namespace barman::wal_transfer {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

wal_archive::WalIndexEntry line_of(const TestServer& test, const std::string& name) {
  return wal_archive::WalIndex::open(test.make().locations()).find(name).value();
}

std::string delivered(const TestServer& test, const std::string& name) {
  const auto path = test.home.path() / "out";
  const Fd fd = open_file(path, O_WRONLY | O_CREAT | O_TRUNC);
  send_wal(test.make(), find_wal(test.make(), {.wal_name = name}), fd.get());
  return get_file(path);
}

const std::string kText(100000, 'x');
const std::string kContent = wal_content(wal_name(1), kText);

TestServer& compressing(TestServer& test, const std::string& word) {
  test.config.compression = word;
  test.config.compression_level = "low";
  if (word != "custom") return test;
  test.config.custom_compression_filter = "printf '\\377\\001'; tr a-y b-z";
  test.config.custom_decompression_filter = "tail -c +3 | tr b-z a-y";
  return test;
}

class CompressedArchive : public ::testing::TestWithParam<const char*> {};

TEST_P(CompressedArchive, KeepsNameModeAndTimeAndGivesTheContentBack) {
  TestServer test;
  compressing(test, GetParam());
  put_file(test.streaming(wal_name(1)), kContent);
  put_file(test.streaming(wal_name(2) + ".partial"), "");
  put_file(test.incoming("00000002.history"), "1\t0/3000000\tno reason");
  std::filesystem::permissions(test.streaming(wal_name(1)), std::filesystem::perms(0640));
  const auto time = std::filesystem::last_write_time(test.streaming(wal_name(1)));
  RecordedMessages messages;
  EXPECT_EQ(wal_archive::archive_pending_wal(test.make(), {}, messages).archived, 2U);
  EXPECT_EQ(std::filesystem::status(test.archived(wal_name(1))).permissions(),
            std::filesystem::perms(0640));
  EXPECT_EQ(std::filesystem::last_write_time(test.archived(wal_name(1))), time);
  const wal_archive::WalIndexEntry line = line_of(test, wal_name(1));
  EXPECT_EQ(line.compression, GetParam());
  EXPECT_EQ(line.size_bytes, std::filesystem::file_size(test.archived(wal_name(1))));
  EXPECT_FALSE(get_file(test.archived(wal_name(1))) == kContent);
  EXPECT_TRUE(delivered(test, wal_name(1)) == kContent);
  EXPECT_EQ(delivered(test, "00000002.history"), "1\t0/3000000\tno reason");
  EXPECT_THAT(list_names(test.archived(wal_name(1)).parent_path()), ElementsAre(wal_name(1)));
}

TEST_P(CompressedArchive, KnowsDuplicatesByTheirContent) {
  TestServer test;
  compressing(test, GetParam());
  RecordedMessages messages;
  put_file(test.incoming(wal_name(1)), kContent);
  wal_archive::archive_pending_wal(test.make(), {}, messages);
  put_file(test.incoming(wal_name(1)), kContent);
  EXPECT_EQ(wal_archive::archive_pending_wal(test.make(), {}, messages).duplicates, 1U);
  put_file(test.incoming(wal_name(1)), wal_content(wal_name(1), kText + "y"));
  EXPECT_EQ(wal_archive::archive_pending_wal(test.make(), {}, messages).rejected, 1U);
  EXPECT_EQ(test.indexed().size(), 1U);
}

INSTANTIATE_TEST_SUITE_P(All, CompressedArchive,
                         ::testing::Values("gzip", "pigz", "pygzip", "bzip2", "pybzip2", "xz",
                                           "zstd", "lz4", "snappy", "custom"),
                         [](const auto& test) { return std::string(test.param); });

TEST(WalCoding, FilesThatArriveCompressedStayAsTheyAre) {
  TestServer test;
  compressing(test, "zstd");
  compression::TextSink text("a test");
  const auto compressor = compression::make_compressor(compression::Algorithm::gzip, 1, text);
  compressor->write(as_bytes(kContent));
  compressor->finish();
  const std::string gzip = text.take();
  put_file(test.incoming(wal_name(1)), gzip);
  RecordedMessages messages;
  wal_archive::archive_pending_wal(test.make(), {}, messages);
  EXPECT_EQ(get_file(test.archived(wal_name(1))), gzip);
  EXPECT_EQ(line_of(test, wal_name(1)).compression, "gzip");
}

TEST(WalCoding, PlainFilesFromBeforeCompressionAreRead) {
  TestServer test;
  put_file(test.archived(wal_name(1)), kContent);
  put_file(test.archived("00000002.history"), "1\t0/3000000\tno reason");
  compressing(test, "custom");
  EXPECT_TRUE(delivered(test, wal_name(1)) == kContent);
  EXPECT_EQ(delivered(test, "00000002.history"), "1\t0/3000000\tno reason");
}

TEST(WalCoding, AHistoryFileOfAnySizeIsNotReadIntoMemory) {
  TestServer test;
  const auto path = test.archived("00000002.history");
  put_file(path, "1\t0/3000000\tno recovery target specified\n");
  const wal_archive::WalArchive archive(test.make());
  EXPECT_THAT(archive.read_text("00000002.history"), HasSubstr("no recovery target"));
  std::filesystem::resize_file(path, std::uintmax_t{200} << 20);
  try {
    archive.read_text("00000002.history");
    ADD_FAILURE() << "it was read";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::corrupt);
    EXPECT_THAT(error.describe(), HasSubstr("00000002.history\" is too large: more than 16.0 MiB"));
  }
}

TEST(WalCoding, CustomMagicComesBeforeTheOthers) {
  TestServer test;
  test.config.custom_compression_magic = "0x1F8B08";
  test.config.custom_decompression_filter = "tail -c +4";
  put_file(test.archived(wal_name(1)), "\x1f\x8b\x08" + kContent);
  EXPECT_TRUE(delivered(test, wal_name(1)) == kContent);
  // A pipeline that has lost something.
  test.config.custom_decompression_filter = "tail -c +4 | head -c 5000";
  EXPECT_THROW(delivered(test, wal_name(1)), Error);
}

TEST(WalCoding, FailedFilterLeavesTheFileAndNothingElse) {
  TestServer test;
  compressing(test, "custom");
  test.config.custom_compression_filter = "echo no space >&2; exit 3";
  put_file(test.incoming(wal_name(1)), kContent);
  RecordedMessages messages;
  try {
    wal_archive::archive_pending_wal(test.make(), {}, messages);
    FAIL() << "archived";
  } catch (const Error& error) {
    EXPECT_THAT(error.message(), HasSubstr("custom_compression_filter failed"));
    EXPECT_THAT(error.message(), HasSubstr("exit code 3: no space"));
  }
  EXPECT_THAT(list_names(test.config.incoming_wals_directory), ElementsAre(wal_name(1)));
  EXPECT_THAT(list_names(test.archived(wal_name(1)).parent_path()), IsEmpty());
}

// In a pipeline of the shell only the last exit code counts.
TEST(WalCoding, WhatAFilterMadeCountsWhenItCanBeReadBack) {
  TestServer test;
  for (const char* const filter :
       {"head -c 100000 | (printf '\\377\\001'; tr a-y b-z)", "true", "printf '\\377\\001'; cat",
        "printf '\\377\\001'; tr a-y b-z; echo done"}) {
    compressing(test, "custom");
    test.config.custom_compression_filter = filter;
    put_file(test.incoming(wal_name(1)), kContent);
    RecordedMessages messages;
    try {
      wal_archive::archive_pending_wal(test.make(), {}, messages);
      FAIL() << filter;
    } catch (const Error& error) {
      EXPECT_THAT(error.message(), HasSubstr("custom_compression_filter")) << filter;
    }
    EXPECT_THAT(list_names(test.config.incoming_wals_directory), ElementsAre(wal_name(1)));
    EXPECT_THAT(list_names(test.archived(wal_name(1)).parent_path()), IsEmpty());
  }
}

TEST(WalCoding, TellsWhatIsWrongWithTheSettings) {
  config::ServerConfig config;
  EXPECT_EQ(wal_archive::WalCoding(config).problem(), "");
  config.compression = "pigz";
  EXPECT_EQ(wal_archive::WalCoding(config).problem(), "");
  config.compression = "custom";
  EXPECT_THAT(wal_archive::WalCoding(config).problem(),
              HasSubstr("needs custom_compression_filter"));
  EXPECT_FALSE(wal_archive::WalCoding(config).is_compressing());
  config.custom_compression_filter = "cat";
  EXPECT_THAT(wal_archive::WalCoding(config).problem(),
              HasSubstr("needs custom_decompression_filter"));
}

TEST(WalCoding, PostHookSeesWhatWasStored) {
  TestServer test;
  compressing(test, "gzip");
  const std::string output = (test.home.path() / "hooks").string();
  test.config.pre_archive_script = "echo \"pre '$BARMAN_COMPRESSION' $BARMAN_SIZE\" >> " + output;
  test.config.post_archive_script =
      "echo \"post '$BARMAN_COMPRESSION' $BARMAN_SIZE $(wc -c < $BARMAN_FILE)\" >> " + output;
  put_file(test.incoming(wal_name(1)), kContent);
  RecordedMessages messages;
  wal_archive::archive_pending_wal(test.make(), {}, messages);
  const std::string size = std::to_string(std::filesystem::file_size(test.archived(wal_name(1))));
  EXPECT_EQ(get_file(output), "pre '' 1048576\npost 'gzip' " + size + " " + size + "\n");
}

// With the real gpg; making a key takes time, so there is one keyring.
class EncryptedArchive : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { keyring = new encryption::TestKeyring(); }
  static void TearDownTestSuite() { delete std::exchange(keyring, nullptr); }

  EncryptedArchive() {
    test_.config.encryption = config::Encryption::gpg;
    test_.config.encryption_key_id = encryption::TestKeyring::kKey;
    test_.config.encryption_passphrase_command = "echo open sesame";
  }

  wal_archive::ArchiveCounts archive() {
    return wal_archive::archive_pending_wal(test_.make(), {}, messages_);
  }

  static encryption::TestKeyring* keyring;
  TestServer test_;
  RecordedMessages messages_;
};

encryption::TestKeyring* EncryptedArchive::keyring = nullptr;

TEST_F(EncryptedArchive, IsReadByGpgAndGivesTheContentBack) {
  unsigned number = 0;
  for (const char* const word : {"", "zstd", "custom"}) {
    const std::string name = wal_name(++number);
    compressing(test_, word);
    if (*word == '\0') test_.config.compression.reset();
    const std::string content = wal_content(name, kText);
    put_file(test_.incoming(name), content);
    EXPECT_EQ(archive().archived, 1U);
    const wal_archive::WalIndexEntry line = line_of(test_, name);
    EXPECT_EQ(line.compression, test_.config.compression) << word;
    EXPECT_EQ(line.encryption, "gpg");
    EXPECT_TRUE(delivered(test_, name) == content) << word;
    const std::string inside = keyring->decrypt(get_file(test_.archived(name)));
    EXPECT_EQ(inside == content, *word == '\0') << word;
    EXPECT_EQ(inside.starts_with("\x28\xb5\x2f\xfd"), *word == 'z') << word;
  }
}

TEST_F(EncryptedArchive, ReadsWhatBarmanWrote) {
  put_file(test_.archived(wal_name(1)), keyring->encrypt(kText));
  EXPECT_TRUE(delivered(test_, wal_name(1)) == kText);
  put_file(test_.archived("00000002.history"), keyring->encrypt("1\t0/3000000\tno reason"));
  EXPECT_EQ(wal_archive::WalArchive(test_.make()).read_text("00000002.history"),
            "1\t0/3000000\tno reason");
}

TEST_F(EncryptedArchive, KnowsDuplicatesWithAndWithoutThePrivateKey) {
  put_file(test_.incoming(wal_name(1)), kContent);
  const auto time = std::filesystem::last_write_time(test_.incoming(wal_name(1)));
  archive();
  put_file(test_.incoming(wal_name(1)), kContent);
  EXPECT_EQ(archive().duplicates, 1U);
  // An archiver that was killed before it had removed the received file.
  test_.config.encryption_passphrase_command.reset();
  put_file(test_.incoming(wal_name(1)), kContent);
  std::filesystem::last_write_time(test_.incoming(wal_name(1)), time);
  EXPECT_EQ(archive().duplicates, 1U);
  put_file(test_.incoming(wal_name(1)), kContent);
  EXPECT_EQ(archive().rejected, 1U);
  EXPECT_EQ(test_.indexed().size(), 1U);
}

TEST_F(EncryptedArchive, ArchivesNothingInClear) {
  test_.config.encryption_key_id = "nobody@example.com";
  put_file(test_.incoming(wal_name(1)), kContent);
  EXPECT_THROW(archive(), Error);
  test_.config.encryption_key_id.reset();
  EXPECT_THROW(archive(), Error);
  EXPECT_THAT(list_names(test_.config.incoming_wals_directory), ElementsAre(wal_name(1)));
  EXPECT_THAT(list_names(test_.archived(wal_name(1)).parent_path()), IsEmpty());
  EXPECT_THAT(test_.indexed(), IsEmpty());
}

// The commands tell which files they, and this process, have open while they run.
TEST_F(EncryptedArchive, PutsNoPlaintextOnADisk) {
  compressing(test_, "custom");
  const std::string list = (test_.home.path() / "open").string();
  const auto telling = [&](const std::optional<std::string>& command) {
    return "ls -l /proc/$$/fd /proc/$PPID/fd >> " + list + "; " + command.value_or("");
  };
  auto& config = test_.config;
  config.custom_compression_filter = telling(config.custom_compression_filter);
  config.custom_decompression_filter = telling(config.custom_decompression_filter);
  config.encryption_passphrase_command = telling(config.encryption_passphrase_command);
  put_file(test_.incoming(wal_name(1)), kContent);
  EXPECT_EQ(archive().archived, 1U);
  EXPECT_TRUE(delivered(test_, wal_name(1)) == kContent);
  put_file(test_.incoming(wal_name(1)), kContent);
  EXPECT_EQ(archive().duplicates, 1U);
  const std::string open_files = get_file(list);
  EXPECT_THAT(open_files, HasSubstr("/memfd:barman"));
  // Who runs the tests may have left something open.
  const auto is_ours = [](const std::string& line) {
    const bool is_file_of_ours = line.find("barman") != line.npos || line.find("/#") != line.npos;
    return is_file_of_ours && line.ends_with("(deleted)");
  };
  for (const std::string& line : split(open_files, '\n')) {
    if (is_ours(line)) {
      EXPECT_THAT(line, HasSubstr("/memfd:"));
    }
  }
}

TEST_F(EncryptedArchive, CannotBeReadWithoutPassphrase) {
  put_file(test_.incoming(wal_name(1)), kContent);
  archive();
  test_.config.encryption_passphrase_command.reset();
  try {
    delivered(test_, wal_name(1));
    FAIL() << "delivered";
  } catch (const Error& error) {
    EXPECT_EQ(error.message(), "Encrypted WAL file '" + wal_name(1) +
                                   "' detected, but no 'encryption_passphrase_command' is "
                                   "configured.");
  }
}

}  // namespace
}  // namespace barman::wal_transfer
