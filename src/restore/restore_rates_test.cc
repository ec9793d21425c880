#include "restore/restore_rates.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <limits>

#include "base/durable.h"
#include "base/fd.h"
#include "base/test_support.h"

namespace barman::restore {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

TEST(RestoreRates, OfTheLastFiveRestoresOfTheKindCount) {
  std::vector<RestoreRate> rates = {{"full", 1'000'000'000, milliseconds(1)}};
  for (int i = 0; i < 5; ++i) rates.push_back({"full", 10'000'000, milliseconds(500)});
  // Too little to tell anything.
  rates.push_back({"full", 1'000'000, milliseconds(60'000)});
  rates.push_back({"full,zstd", 7, milliseconds(1)});

  const ExpectedRate rate = expected_rate(rates, "full");

  EXPECT_EQ(rate.source, RateSource::restores);
  EXPECT_EQ(rate.restores, 5U);
  EXPECT_DOUBLE_EQ(rate.bytes_per_second, 20'000'000);
}

TEST(RestoreRates, AreUnknownForAKindThatWasNeverRestored) {
  EXPECT_EQ(expected_rate({{"full", 10'000'000, milliseconds(1)}}, "incremental").source,
            RateSource::unknown);
}

TEST(RestoreRates, OfManyTheLastFiftyAreKept) {
  const TemporaryDirectory directory;
  for (std::uint64_t i = 1; i <= 52; ++i) {
    note_restore(directory.path(), {"full", i, milliseconds(i)});
  }

  const std::vector<RestoreRate> rates = read_restore_rates(directory.path());

  ASSERT_THAT(rates, SizeIs(50));
  EXPECT_EQ(rates.front(), (RestoreRate{"full", 3, milliseconds(3)}));
  EXPECT_EQ(rates.back(), (RestoreRate{"full", 52, milliseconds(52)}));
}

TEST(RestoreRates, LinesThatNobodyUnderstandsArePassedOver) {
  const TemporaryDirectory directory;
  write_file_durably(directory.path() / ".restore-rates",
                     "\nfull\nfull 1\nfull 1 x\nfull -1 1\nfull 1 0\nfull 99999999999999999999 1\n"
                     "full 10 20\n\x01\xff 1 2 3\nfull 1 9223372036854775807");

  const std::vector<RestoreRate> rates = read_restore_rates(directory.path());

  EXPECT_THAT(rates, ElementsAre(RestoreRate{"full", 10, milliseconds(20)},
                                 RestoreRate{"full", 1, milliseconds::max()}));
  EXPECT_EQ(expected_rate(rates, "full").source, RateSource::unknown);
}

TEST(RestoreRates, AreNotWorthAFailure) {
  const TemporaryDirectory directory;
  std::filesystem::create_directory(directory.path() / ".restore-rates");

  note_restore(directory.path(), {"full", 1, milliseconds(1)});
  EXPECT_THAT(read_restore_rates(directory.path()), IsEmpty());
  note_restore(directory.path() / "missing", {"full", 1, milliseconds(1)});
}

}  // namespace
}  // namespace barman::restore
