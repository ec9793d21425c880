#include "object_store/s3_endpoint.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace barman::object_store {
namespace {

std::string url_of(const S3Endpoint& endpoint, const std::string& key) {
  return endpoint.url(endpoint.encoded_path(key), "");
}

TEST(S3Endpoint, NamesTheBucketInTheHostWhereItCan) {
  const AwsSettings settings{.region = "eu-west-1"};
  EXPECT_EQ(url_of(s3_endpoint(settings, "backups"), "a b/c"),
            "https://backups.s3.eu-west-1.amazonaws.com/a%20b/c");
  EXPECT_EQ(url_of(s3_endpoint(settings, "my.backups"), "k"),
            "https://s3.eu-west-1.amazonaws.com/my.backups/k")
      << "no certificate is valid for a name with dots";
  EXPECT_EQ(url_of(s3_endpoint(settings, "Backups"), ""),
            "https://s3.eu-west-1.amazonaws.com/Backups");
  EXPECT_EQ(url_of(s3_endpoint({}, "backups"), ""), "https://backups.s3.us-east-1.amazonaws.com/");
  EXPECT_EQ(s3_endpoint({.region = "cn-north-1"}, "backups").host,
            "backups.s3.cn-north-1.amazonaws.com.cn");
  EXPECT_EQ(
      s3_endpoint({.region = "us-east-2", .uses_dual_stack = true, .uses_fips = true}, "bkt").host,
      "bkt.s3-fips.dualstack.us-east-2.amazonaws.com");
}

TEST(S3Endpoint, UsesPathsWithAnEndpointOfTheUser) {
  AwsSettings settings{.endpoint_url = "http://127.0.0.1:9000/"};
  EXPECT_EQ(url_of(s3_endpoint(settings, "backups"), "k"), "http://127.0.0.1:9000/backups/k");
  settings.addressing_style = AddressingStyle::virtual_host;
  EXPECT_EQ(url_of(s3_endpoint(settings, "backups"), "k"), "http://127.0.0.1:9000/backups/k")
      << "nothing stands before an address, with Barman neither";
  settings.endpoint_url = "http://[::1]:9000";
  EXPECT_EQ(url_of(s3_endpoint(settings, "backups"), "k"), "http://[::1]:9000/backups/k");
  settings.endpoint_url = "http://10.store.example:9000";
  EXPECT_EQ(url_of(s3_endpoint(settings, "backups"), "k"),
            "http://backups.10.store.example:9000/k");
  EXPECT_EQ(url_of(s3_endpoint(settings, "my.backups"), "k"),
            "http://10.store.example:9000/my.backups/k");
  settings.addressing_style = AddressingStyle::path;
  settings.endpoint_url = "https://store.example:443/s3/";
  EXPECT_EQ(url_of(s3_endpoint(settings, "backups"), "k"), "https://store.example/s3/backups/k");
  for (const char* bad : {"store.example", "ftp://store.example", "http://", "http://u:p@host"}) {
    settings.endpoint_url = bad;
    EXPECT_THROW(s3_endpoint(settings, "backups"), Error) << bad;
  }
}

TEST(S3Endpoint, KnowsAccessPoints) {
  const S3Endpoint endpoint =
      s3_endpoint({.region = "us-east-1"}, "arn:aws:s3:eu-west-1:123456789012:accesspoint/barman");
  EXPECT_EQ(url_of(endpoint, "k"),
            "https://barman-123456789012.s3-accesspoint.eu-west-1.amazonaws.com/k");
  EXPECT_EQ(endpoint.scope.region, "eu-west-1");
  const S3Endpoint outpost =
      s3_endpoint({}, "arn:aws:s3-outposts:us-west-2:123456789012:outpost/op-1/accesspoint/barman");
  EXPECT_EQ(outpost.host, "barman-123456789012.op-1.s3-outposts.us-west-2.amazonaws.com");
  EXPECT_EQ(outpost.scope.service, "s3-outposts");
}

}  // namespace
}  // namespace barman::object_store
