#include "object_store/store_url.h"

#include <gtest/gtest.h>

#include <string>

#include "base/error.h"

namespace barman::object_store {
namespace {

std::string refusal(const std::string& url, Provider provider) {
  try {
    parse_store_url(url, provider);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::config);
    return error.message();
  }
  return "accepted";
}

TEST(StoreUrl, TellsBucketAndPathOfS3) {
  const StoreUrl url = parse_store_url("s3://bucket/path/to/", Provider::aws_s3);
  EXPECT_EQ(url.bucket, "bucket");
  EXPECT_EQ(url.prefix, "path/to");
  EXPECT_EQ(url.given_path, "path/to/") << "Barman keeps the slash at the end";
  EXPECT_EQ(url.text("a/b"), "s3://bucket/path/to/a/b");
  EXPECT_EQ(url.text(), "s3://bucket/path/to");
  EXPECT_EQ(parse_store_url("s3://bucket", Provider::aws_s3).text("a"), "s3://bucket/a");
  for (const char* bad : {"", "bucket/path", "s3://", "s3:///path", "gs://bucket/path"}) {
    EXPECT_EQ(refusal(bad, Provider::aws_s3), std::string("Invalid s3 URL address: ") + bad);
  }
}

TEST(StoreUrl, TakesTheArnOfAnAccessPointForTheBucket) {
  const std::string arn = "arn:aws:s3:eu-west-1:123456789012:accesspoint/barman";
  const StoreUrl url = parse_store_url("s3://" + arn + "/path", Provider::aws_s3);
  EXPECT_EQ(url.bucket, arn);
  EXPECT_EQ(url.prefix, "path");
  const auto parts = find_arn(arn);
  ASSERT_TRUE(parts);
  EXPECT_EQ(parts->region, "eu-west-1");
  EXPECT_EQ(parts->account, "123456789012");
  EXPECT_EQ(parts->access_point, "barman");
  const auto outpost =
      find_arn("arn:aws-cn:s3-outposts:cn-north-1:123456789012:outpost:op-1:accesspoint:x");
  ASSERT_TRUE(outpost);
  EXPECT_EQ(outpost->partition, "aws-cn");
  EXPECT_EQ(outpost->outpost, "op-1");
  EXPECT_EQ(outpost->access_point, "x");
  EXPECT_FALSE(find_arn("arn"));
  EXPECT_FALSE(find_arn("arn:aws:ec2:eu-west-1:1:accesspoint/x"));
  EXPECT_FALSE(find_arn("arn:aws:s3:eu-west-1:1:bucket/x"));
}

TEST(StoreUrl, TellsAccountContainerAndPathOfAzure) {
  const StoreUrl url = parse_store_url("https://acct.blob.core.windows.net/cont/path/to/",
                                       Provider::azure_blob_storage);
  EXPECT_EQ(url.account_url, "https://acct.blob.core.windows.net");
  EXPECT_EQ(url.account, "acct");
  EXPECT_EQ(url.bucket, "cont");
  EXPECT_EQ(url.prefix, "path/to");
  EXPECT_FALSE(url.is_emulated);
  const StoreUrl emulated = parse_store_url("http://127.0.0.1:10000/devstoreaccount1/cont/p",
                                            Provider::azure_blob_storage);
  EXPECT_TRUE(emulated.is_emulated);
  EXPECT_EQ(emulated.account_url, "http://127.0.0.1:10000/devstoreaccount1");
  EXPECT_EQ(emulated.bucket, "cont");
  for (const char* bad : {"acct/cont", "https://acct.blob.core.windows.net",
                          "https://acct.blob.core.windows.net/", "http://127.0.0.1:1/acct"}) {
    EXPECT_EQ(refusal(bad, Provider::azure_blob_storage),
              std::string("azure blob storage URL ") + bad + " is malformed");
  }
}

TEST(StoreUrl, TellsBucketAndPathOfGoogle) {
  const StoreUrl url = parse_store_url("gs://bucket/path/", Provider::google_cloud_storage);
  EXPECT_EQ(url.bucket, "bucket");
  EXPECT_EQ(url.prefix, "path");
  EXPECT_EQ(url.given_path, "path") << "no slash is kept here";
  const StoreUrl console = parse_store_url(
      "https://console.cloud.google.com/storage/browser/bucket/p", Provider::google_cloud_storage);
  EXPECT_EQ(console.text(), "gs://bucket/p");
  EXPECT_TRUE(refusal("gs:bucket", Provider::google_cloud_storage)
                  .starts_with("Google cloud storage URL gs:bucket is malformed. "));
}

TEST(StoreUrl, KnowsProvidersByTheirWords) {
  for (const char* word : {"aws-s3", "azure-blob-storage", "google-cloud-storage"}) {
    const auto provider = find_provider(word);
    ASSERT_TRUE(provider);
    EXPECT_EQ(provider_word(*provider), word);
  }
  EXPECT_FALSE(find_provider("s3"));
  EXPECT_EQ(find_provider_of_url("s3://b"), Provider::aws_s3);
  EXPECT_EQ(find_provider_of_url("gs://b"), Provider::google_cloud_storage);
  EXPECT_EQ(find_provider_of_url("https://a.blob.core.windows.net/c"),
            Provider::azure_blob_storage);
  EXPECT_FALSE(find_provider_of_url("/var/lib/barman"));
}

}  // namespace
}  // namespace barman::object_store
