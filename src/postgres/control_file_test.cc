#include "postgres/control_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "base/digest.h"
#include "base/error.h"

namespace barman::postgres {
namespace {

// The first 292 bytes of the pg_control of a base backup of PostgreSQL 15.20, initialised with data
// checksums; the rest of the file is zero.
constexpr std::string_view kControlFile15 =
    "4fb55c718e2a016b1405000025770d0c0600000000000000c22b016b000000006000000200000000"
    "280000020000000001000000010000000100000000000000e5020000000000000060000001000000"
    "00000000cd02000001000000010000000100000000000000c22b016b000000000000000000000000"
    "e502000000000000e803000000000000000000000000000000000000000000000000000000000000"
    "000000000000000000000000010000000000000064000000080000000a0000000000000040000000"
    "00000000080000000000000087d63241002000000000020000200000000000014000000020000000"
    "cc070000000800000100000001000000e5eb6301b90986d1ea9360dfd3534096a7322a15b819fd16"
    "016fe81109bfc945a60f870d";

std::vector<std::byte> file_of(std::string_view hex) {
  std::vector<std::byte> content(8192);
  for (std::size_t i = 0; i < hex.size() / 2; ++i)
    content[i] = static_cast<std::byte>(std::stoi(std::string(hex.substr(2 * i, 2)), nullptr, 16));
  return content;
}

template <typename Value>
void store(std::vector<std::byte>& content, std::size_t offset, Value value) {
  std::memcpy(content.data() + offset, &value, sizeof value);
}

void store_crc(std::vector<std::byte>& content, std::size_t offset) {
  const Bytes covered = Bytes(content).first(offset);
  store(content, offset, crc32c_finish(crc32c_extend(kCrc32cInitial, covered)));
}

TEST(ControlFile, ReadsARealOne) {
  const ControlFile control = parse_control_file(file_of(kControlFile15));
  EXPECT_EQ(control.system_id.value, 7710490828310623567U);
  EXPECT_EQ(control.control_version, 1300U);
  EXPECT_EQ(control.catalog_version, 202209061U);
  EXPECT_EQ(control.state, ClusterState::in_production);
  EXPECT_EQ(wal::format_lsn(control.checkpoint), "0/2000060");
  EXPECT_EQ(wal::format_lsn(control.checkpoint_redo), "0/2000028");
  EXPECT_EQ(control.checkpoint_timeline.value, 1U);
  EXPECT_EQ(control.segment_size->bytes, 16U << 20);
  EXPECT_TRUE(control.data_checksums.value());
}

TEST(ControlFile, AcceptsTheFileWithoutItsPadding) {
  std::vector<std::byte> content = file_of(kControlFile15);
  content.resize(292);
  EXPECT_EQ(parse_control_file(content).control_version, 1300U);
}

TEST(ControlFile, RejectsEveryChangedByte) {
  const std::vector<std::byte> good = file_of(kControlFile15);
  for (std::size_t i = 0; i < 292; ++i) {
    std::vector<std::byte> bad = good;
    bad[i] ^= std::byte{0x10};
    EXPECT_THROW(parse_control_file(bad), Error) << "byte " << i;
  }
}

TEST(ControlFile, RejectsATruncatedOne) {
  std::vector<std::byte> content = file_of(kControlFile15);
  for (const std::size_t size : {0U, 100U, 131U, 132U, 291U}) {
    content.resize(size);
    EXPECT_THROW(parse_control_file(content), Error) << size;
  }
}

// PostgreSQL 18 added one byte before the nonce, so that the CRC moved by four.
TEST(ControlFile, ReadsTheFormatOf18) {
  std::vector<std::byte> content = file_of(kControlFile15);
  store(content, 8, std::uint32_t{1800});
  store(content, 252, std::uint32_t{0});
  store(content, 288, std::uint32_t{0x01020304});
  store_crc(content, 292);
  const ControlFile control = parse_control_file(content);
  EXPECT_EQ(control.control_version, 1800U);
  EXPECT_EQ(control.segment_size->bytes, 16U << 20);
  EXPECT_FALSE(control.data_checksums.value());
}

// PostgreSQL 10 kept the previous checkpoint before the copy of the last one.
TEST(ControlFile, ReadsTheFormatOf10) {
  std::vector<std::byte> content = file_of(kControlFile15);
  content.insert(content.begin() + 40, 8, std::byte{0});
  store(content, 8, std::uint32_t{1002});
  store_crc(content, 296);
  const ControlFile control = parse_control_file(content);
  EXPECT_EQ(wal::format_lsn(control.checkpoint_redo), "0/2000028");
  EXPECT_EQ(control.checkpoint_timeline.value, 1U);
  EXPECT_EQ(control.segment_size->bytes, 16U << 20);
}

TEST(ControlFile, LeavesOutWhatMayHaveMovedInANewerFormat) {
  std::vector<std::byte> content = file_of(kControlFile15);
  store(content, 8, std::uint32_t{2100});
  store_crc(content, 288);
  const ControlFile control = parse_control_file(content);
  EXPECT_EQ(control.system_id.value, 7710490828310623567U);
  EXPECT_FALSE(control.segment_size.has_value());
  EXPECT_FALSE(control.data_checksums.has_value());
}

TEST(ControlFile, NamesTheMissingFile) {
  try {
    read_control_file("/nonexistent/data");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::not_found);
    EXPECT_THAT(error.describe(), testing::HasSubstr("/nonexistent/data/global/pg_control"));
  }
}

}  // namespace
}  // namespace barman::postgres
