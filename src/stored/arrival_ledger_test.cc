#include "stored/arrival_ledger.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace barman::stored {
namespace {

postgres::ManifestFile manifest_file(const std::string& path, std::uint64_t size_bytes) {
  // CRC-32C of "123456789".
  return {.path = path,
          .size_bytes = size_bytes,
          .algorithm = DigestAlgorithm::crc32c,
          .checksum = "839206e3"};
}

ArrivalLedger ledger_with(std::string_view path) {
  ArrivalLedger ledger;
  ledger.add(path, 9, 0xE3069283U);
  ledger.add("PG_VERSION", 9, 0xE3069283U);
  ledger.seal();
  return ledger;
}

TEST(ArrivalLedger, AcceptsWhatTheManifestLists) {
  ArrivalLedger ledger = ledger_with("base/1/2");
  ledger.confirm(manifest_file("base/1/2", 9));
  ledger.confirm(manifest_file("PG_VERSION", 9));
  EXPECT_NO_THROW(ledger.finish());
}

TEST(ArrivalLedger, FindsEachKindOfDamage) {
  ArrivalLedger ledger = ledger_with("base/1/2");
  EXPECT_THROW(ledger.confirm(manifest_file("base/1/3", 9)), Error);
  EXPECT_THROW(ledger.confirm(manifest_file("base/1/2", 8)), Error);
  postgres::ManifestFile other = manifest_file("base/1/2", 9);
  other.checksum = "00000000";
  EXPECT_THROW(ledger.confirm(other), Error);
  ledger.confirm(manifest_file("PG_VERSION", 9));
  EXPECT_THROW(ledger.finish(), Error);
}

TEST(ArrivalLedger, TakesNothingTwice) {
  ArrivalLedger ledger = ledger_with("base/1/2");
  ledger.confirm(manifest_file("base/1/2", 9));
  EXPECT_THROW(ledger.confirm(manifest_file("base/1/2", 9)), Error);
  ArrivalLedger other;
  other.add("base/1/2", 9, 0xE3069283U);
  other.add("PG_VERSION", 9, 0xE3069283U);
  other.add("base/1/2", 9, 0xE3069283U);
  EXPECT_THROW(other.seal(), Error);
}

TEST(ArrivalLedger, NeedsTheChecksumThatWasAskedFor) {
  ArrivalLedger ledger = ledger_with("base/1/2");
  postgres::ManifestFile file = manifest_file("base/1/2", 9);
  file.algorithm = DigestAlgorithm::none;
  file.checksum.clear();
  EXPECT_THROW(ledger.confirm(file), Error);
  file.algorithm = DigestAlgorithm::sha256;
  file.checksum = std::string(64, 'a');
  EXPECT_THROW(ledger.confirm(file), Error);
}

}  // namespace
}  // namespace barman::stored
