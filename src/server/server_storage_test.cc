#include "server/server_storage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/test_support.h"

namespace barman::server {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

config::ServerConfig config_with(const std::string& location) {
  config::ServerConfig config;
  config.name = "main";
  config.basebackups_directory = location;
  config.wals_directory = location;
  return config;
}

TEST(ServerStorage, KeysBeginWhereTheObjectsOfTheServerDo) {
  const auto text = [](const std::string& location, ObjectsOf what) {
    return bucket_url(config_with(location), what).text("x");
  };
  EXPECT_EQ(text("s3://bucket", ObjectsOf::wal), "s3://bucket/main/wals/x");
  EXPECT_EQ(text("s3://bucket/some/path/", ObjectsOf::backups),
            "s3://bucket/some/path/main/base/x");
  EXPECT_EQ(text("gs://bucket/path", ObjectsOf::wal), "gs://bucket/path/main/wals/x");
  EXPECT_EQ(
      bucket_url(config_with("https://acc.blob.core.windows.net/box/p"), ObjectsOf::wal).prefix,
      "p/main/wals");
  EXPECT_THROW(bucket_url(config_with("ftp://host/dir"), ObjectsOf::wal), Error);
}

TEST(ServerStorage, SettingsBecomeOptionsOfTheStore) {
  config::ServerConfig config = config_with("s3://bucket");
  config.aws_profile = "backup";
  config.aws_region = "eu-central-1";
  config.aws_encryption = "aws:kms";
  config.aws_sse_kms_key_id = "key";
  config.aws_read_timeout = 7;
  config.bandwidth_limit = 5120;
  config.cloud_upload_min_chunk_size = std::int64_t{64} << 20;
  config.azure_credential = "managed-identity";
  const object_store::StoreOptions options = bucket_options(config, ObjectsOf::backups, {});
  EXPECT_EQ(options.profile, "backup");
  EXPECT_EQ(options.region, "eu-central-1");
  EXPECT_EQ(options.encryption, "aws:kms");
  EXPECT_EQ(options.sse_kms_key_id, "key");
  EXPECT_EQ(options.read_timeout, std::chrono::seconds(7));
  EXPECT_EQ(options.max_bytes_per_second, 5'120'000U);
  EXPECT_EQ(options.part_size_bytes, std::uint64_t{64} << 20);
  EXPECT_EQ(options.azure_credential, object_store::AzureCredential::managed_identity);
  // The limit is one of backups.
  EXPECT_EQ(bucket_options(config, ObjectsOf::wal, {}).max_bytes_per_second, 0U);
  config.cloud_upload_min_chunk_size = 1;
  EXPECT_EQ(bucket_options(config, ObjectsOf::backups, {}).part_size_bytes,
            object_store::kDefaultPartSize);
  // A segment is one request.
  EXPECT_GT(bucket_options(config, ObjectsOf::wal, {}).part_size_bytes, std::uint64_t{16} << 20);
}

TEST(ServerStorage, WhatDoesNotGoTogetherIsRefusedInBarmansWords) {
  config::ServerConfig config = config_with("s3://bucket");
  const auto ask = [&] { bucket_options(config, ObjectsOf::wal, {}); };
  config.aws_sse_kms_key_id = "key";
  EXPECT_THAT(ask, ThrowsMessage<Error>(HasSubstr(
                       "aws_encryption must be \"aws:kms\" if aws_sse_kms_key_id is specified")));
  config.aws_sse_kms_key_id.reset();
  config.aws_sse_customer_key = "c2VjcmV0";
  EXPECT_THAT(ask, ThrowsMessage<Error>(HasSubstr("must be provided as a file:// URI")));
  const TemporaryDirectory place;
  put_file(place.path() / "key", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n");
  config.aws_sse_customer_key = "file://" + (place.path() / "key").string();
  EXPECT_EQ(bucket_options(config, ObjectsOf::wal, {}).sse_customer_key.size(), 32U);
}

TEST(ServerStorage, StoresAreOpenedOnce) {
  config::ServerConfig config = config_with("s3://bucket");
  config.basebackups_directory = "/var/lib/barman/main/base";
  ServerBuckets buckets(config, {});
  EXPECT_EQ(buckets.find(ObjectsOf::backups), nullptr);
  const auto wal = buckets.find(ObjectsOf::wal);
  ASSERT_NE(wal, nullptr);
  EXPECT_EQ(buckets.find(ObjectsOf::wal), wal);
}

}  // namespace
}  // namespace barman::server
