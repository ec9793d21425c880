#include "replication/messages.h"

#include <string>

#include <gtest/gtest.h>

#include "base/error.h"

namespace barman::replication {
namespace {

using namespace std::string_literals;

const std::string kWalData =
    "w\0\0\0\x16\xB3\x74\xD8\x48\0\0\0\x16\xB3\x74\xE0\0\0\2\xE1\x7A\x5F\xB2\x11\x22"s +
    "wal bytes";
const std::string kKeepalive = "k\0\0\0\0\1\2\3\4\0\0\0\0\0\0\0\0\1"s;

TEST(Messages, DecodesWalData) {
  const auto data = std::get<WalData>(decode_wal_message(as_bytes(kWalData)));
  EXPECT_EQ(data.begin.value, 0x16B374D848U);
  EXPECT_EQ(data.server_end.value, 0x16B374E000U);
  EXPECT_EQ(as_text(data.data), "wal bytes");
}

TEST(Messages, WalDataMayBeEmpty) {
  const auto data = std::get<WalData>(decode_wal_message(as_bytes(kWalData.substr(0, 25))));
  EXPECT_TRUE(data.data.empty());
}

TEST(Messages, DecodesKeepalives) {
  auto keepalive = std::get<Keepalive>(decode_wal_message(as_bytes(kKeepalive)));
  EXPECT_EQ(keepalive.server_end.value, 0x1020304U);
  EXPECT_TRUE(keepalive.reply_requested);
  keepalive = std::get<Keepalive>(decode_wal_message(as_bytes(kKeepalive.substr(0, 17) + '\0')));
  EXPECT_FALSE(keepalive.reply_requested);
}

TEST(Messages, RejectsEveryTruncation) {
  for (std::size_t size = 0; size < 25; ++size)
    EXPECT_THROW(decode_wal_message(as_bytes(kWalData.substr(0, size))), Error) << size;
  for (std::size_t size = 0; size < kKeepalive.size(); ++size)
    EXPECT_THROW(decode_wal_message(as_bytes(kKeepalive.substr(0, size))), Error) << size;
  for (const std::string& message :
       {""s, "n"s, "nbase.tar"s, "nbase.tar\0"s, "nbase.tar\0/t"s, "p\0\0\0\0\0\0\0"s})
    EXPECT_THROW(decode_backup_message(as_bytes(message)), Error) << message;
}

TEST(Messages, RejectsUnknownTypes) {
  EXPECT_THROW(decode_wal_message(as_bytes("x"s)), Error);
  EXPECT_THROW(decode_backup_message(as_bytes("x"s)), Error);
}

TEST(Messages, EncodesTheStandbyStatus) {
  const auto message = encode_standby_status({.written = {0x0102030405060708},
                                              .flushed = {0x11},
                                              .applied = {},
                                              .clock = -2,
                                              .reply_requested = true});
  EXPECT_EQ(
      as_text(message),
      "r\1\2\3\4\5\6\7\x8\0\0\0\0\0\0\0\x11\0\0\0\0\0\0\0\0\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFE\1"s);
}

TEST(Messages, DecodesBackupMessages) {
  const std::string archive = "n16384.tar\0/srv/tbs\0"s;
  const auto begin = std::get<ArchiveBegin>(decode_backup_message(as_bytes(archive)));
  EXPECT_EQ(begin.name, "16384.tar");
  EXPECT_EQ(begin.location, "/srv/tbs");
  EXPECT_TRUE(std::holds_alternative<ManifestBegin>(decode_backup_message(as_bytes("m"s))));
  EXPECT_EQ(as_text(std::get<BackupData>(decode_backup_message(as_bytes("dxyz"s))).data), "xyz");
  EXPECT_TRUE(std::get<BackupData>(decode_backup_message(as_bytes("d"s))).data.empty());
  EXPECT_EQ(
      std::get<BackupProgress>(decode_backup_message(as_bytes("p\0\0\0\1\0\0\0\2"s))).bytes_done,
      0x100000002U);
}

}  // namespace
}  // namespace barman::replication
