// verify-wal keeps the rules of PostgreSQL's reader: each bit of the headers of pages and records
// is flipped, one after the other, beside PostgreSQL's own pg_waldump. What that does not read is
// refused; what it reads is accepted, except for what only a server checks.
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "support/command.h"
#include "support/postgres_server.h"
#include "support/postgres_version.h"
#include "support/temp_dir.h"
#include "wal/record_checker.h"
#include "wal/wal_file_name.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kPage = 8192;
constexpr wal::SegmentSize kSize{.bytes = std::uint64_t{1} << 20};
constexpr std::size_t kShortHeader = 24;
constexpr std::size_t kLongHeader = 40;
constexpr std::size_t kRecordHeader = 24;

class WalRules : public testing::TestWithParam<int> {
 protected:
  WalRules() : postgres_({.major = GetParam(), .shape = {.wal_segment_megabytes = 1}}) {
    postgres_.query("SELECT pg_switch_wal()");
    // The range begins late in a segment, and has a record that crosses its end.
    const wal::Lsn here = lsn("SELECT pg_current_wal_insert_lsn()");
    emit(static_cast<int>(kSize.bytes - here.value % kSize.bytes) - 70000);
    begin_ = lsn("SELECT pg_current_wal_insert_lsn()");
    emit(100);
    emit(20000);
    for (int i = 0; i < 3; ++i) emit(300);
    emit(60000);
    for (int i = 0; i < 3; ++i) emit(700);
    end_ = lsn("SELECT pg_current_wal_flush_lsn()");
    first_ = begin_.value / kSize.bytes;
    for (std::uint64_t number = first_; number <= end_.value / kSize.bytes; ++number) {
      const std::string name = wal::segment_name({.timeline = {1}, .number = number}, kSize);
      fs::copy_file(postgres_.data_directory() / "pg_wal" / name, place_.path() / name);
      names_.push_back(name);
    }
    postgres_.stop();
    records_ = dump().value_or(0);
  }

  void emit(int size) {
    postgres_.query(
        fmt::format("SELECT pg_logical_emit_message(true, 'x', repeat('y', {}))", size));
  }
  wal::Lsn lsn(const std::string& sql) const {
    return wal::parse_lsn(postgres_.value(sql)).value();
  }

  // How many records pg_waldump reads; nullopt when it fails.
  std::optional<std::uint64_t> dump() const {
    const CommandResult result = run_command(
        {.argv = {find_tool(GetParam(), "pg_waldump").string(), "-p", place_.path().string(), "-s",
                  wal::format_lsn(begin_), "-e", wal::format_lsn(end_)}});
    if (result.exit_code != 0) return std::nullopt;
    std::uint64_t count = 0;
    for (std::size_t at = 0; (at = result.out.find("rmgr: ", at)) != std::string::npos; ++at) {
      ++count;
    }
    return count;
  }

  std::optional<std::uint64_t> check(std::vector<std::uint64_t>* begins = nullptr) const {
    wal::RecordChecker checker({.timeline = {1},
                                .begin = begin_,
                                .end = end_,
                                .segment_size = kSize,
                                .server_major = GetParam()},
                               [&](const wal::RecordView& record) {
                                 if (begins != nullptr) begins->push_back(record.begin.value);
                               });
    try {
      for (std::size_t i = 0; i < names_.size(); ++i) {
        checker.begin_segment({.timeline = {1}, .number = first_ + i});
        const std::string content = read_text(place_.path() / names_[i]);
        checker.write(as_bytes(content));
        checker.end_segment();
      }
      checker.finish();
      return checker.record_count();
    } catch (const Error&) {
      return std::nullopt;
    }
  }

  void flip(std::uint64_t position, int bit) const {
    const fs::path path = place_.path() / names_.at(position / kSize.bytes - first_);
    const Fd file = open_file(path, O_RDWR);
    const auto offset = static_cast<off_t>(position % kSize.bytes);
    unsigned char byte = 0;
    ASSERT_EQ(::pread(file.get(), &byte, 1, offset), 1);
    byte = static_cast<unsigned char>(byte ^ (1U << static_cast<unsigned>(bit)));
    ASSERT_EQ(::pwrite(file.get(), &byte, 1, offset), 1);
  }

  // Each flip costs a process of PostgreSQL: some of them, and all with BARMAN_SWEEP=full. The step
  // is prime to the size of a byte, so that every bit of a field has its turn somewhere.
  static std::size_t step() {
    const char* const sweep = std::getenv("BARMAN_SWEEP");  // NOLINT(concurrency-mt-unsafe)
    return sweep != nullptr && std::string_view(sweep) == "full" ? 1 : 7;
  }

  // `is_stricter(offset)`: only a server, which knows its system and timeline, checks it.
  template <typename IsStricter>
  void compare(std::uint64_t position, std::size_t size, const IsStricter& is_stricter) const {
    for (std::size_t offset = 0; offset < size; ++offset) {
      for (int bit = 0; bit < 8; ++bit) {
        if ((offset * 8 + static_cast<std::size_t>(bit)) % step() != 0) continue;
        flip(position + offset, bit);
        const bool theirs = dump() == records_;
        const bool ours = check() == records_;
        flip(position + offset, bit);
        if (theirs == ours || (theirs && is_stricter(offset))) continue;
        ADD_FAILURE() << fmt::format("{} + {}, bit {}: pg_waldump {}, verify-wal {}",
                                     wal::format_lsn({position}), offset, bit,
                                     theirs ? "reads it" : "stops", ours ? "reads it" : "stops");
      }
    }
  }

  PostgresServer postgres_;
  TempDir place_;
  wal::Lsn begin_;
  wal::Lsn end_;
  std::uint64_t first_ = 0;
  std::vector<std::string> names_;
  std::uint64_t records_ = 0;
};

INSTANTIATE_TEST_SUITE_P(Version, WalRules, testing::Values(15, 17),
                         [](const auto& test) { return fmt::format("Postgres{}", test.param); });

TEST_P(WalRules, AreThoseOfPostgresForEachBitOfTheHeaders) {
  std::vector<std::uint64_t> begins;
  ASSERT_GT(records_, 8U);
  ASSERT_EQ(check(&begins), records_);
  const auto of_page = [](std::size_t offset) {
    return (offset >= 4 && offset < 8) || (offset >= 24 && offset < 32);
  };
  const std::uint64_t segment = (first_ + 1) * kSize.bytes;
  const auto never = [](std::size_t) { return false; };
  compare(segment, kLongHeader, of_page);
  compare(begins.at(begins.size() / 2), kRecordHeader, never);
  // The rules are the same in all versions, and each flip costs a process.
  if (GetParam() != kUsualMajor) return;
  // Inside of a record.
  compare(segment - 2 * kPage, kShortHeader, of_page);
}

}  // namespace
}  // namespace barman::test
