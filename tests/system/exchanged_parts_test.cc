// Data directories in the place of others, each of them undamaged: no part of a backup is used with
// parts of another one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/incremental_site.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

using testing::HasSubstr;

void exchange(const fs::path& a, const fs::path& b) {
  const fs::path aside = a.parent_path() / "aside";
  fs::rename(a, aside);
  fs::rename(b, a);
  fs::rename(aside, b);
}

class ExchangedParts : public testing::TestWithParam<std::string> {
 protected:
  ExchangedParts() : site_(kUsualMajor, {{"backup_compression", GetParam()}}) {
    full_ = site_.take_backup();
    site_.postgres.query("CREATE TABLE first AS SELECT generate_series(1, 1000) AS id");
    first_ = site_.take_incremental(full_);
    site_.postgres.query("CREATE TABLE second AS SELECT generate_series(1, 1000) AS id");
    second_ = site_.take_incremental(first_);
    later_ = site_.take_backup();
    site_.archive_a_segment();
  }

  void expect_refused(const std::string& id) {
    const auto expect = [&](const CommandResult& result, const std::string& what) {
      EXPECT_EQ(result.exit_code, 1) << what;
      EXPECT_THAT(result.out + result.err, HasSubstr("not belong to")) << what;
    };
    expect(site_.barman.run({"verify-backup", "main", id}), "verify-backup");
    const Restored restored(site_, id);
    expect(restored.result, "restore");
    EXPECT_FALSE(fs::exists(restored.data / "global/pg_control"));
  }

  IncrementalSite site_;
  std::string full_;
  std::string first_;
  std::string second_;
  std::string later_;
};

TEST_P(ExchangedParts, AreRefused) {
  exchange(site_.base(first_) / "data", site_.base(second_) / "data");
  expect_refused(second_);
  expect_refused(first_);
  const CommandResult consolidated = site_.barman.run({"consolidate", "main", second_});
  EXPECT_EQ(consolidated.exit_code, 1);
  EXPECT_THAT(consolidated.err, HasSubstr("do not belong to it"));
  exchange(site_.base(first_) / "data", site_.base(second_) / "data");

  exchange(site_.base(full_) / "data", site_.base(later_) / "data");
  expect_refused(full_);
  expect_refused(second_);
  const CommandResult checked = site_.barman.run({"catalogue-check", "--deep", "main"});
  EXPECT_NE(checked.exit_code, 0) << checked.out;
  exchange(site_.base(full_) / "data", site_.base(later_) / "data");
  EXPECT_EQ(site_.barman.run({"verify-backup", "main", second_}).exit_code, 0);
  EXPECT_EQ(Restored(site_, second_).result.exit_code, 0);
}

INSTANTIATE_TEST_SUITE_P(Forms, ExchangedParts, testing::Values("", "gzip"), [](const auto& data) {
  return data.param.empty() ? "plain" : data.param;
});

}  // namespace
}  // namespace barman::test
