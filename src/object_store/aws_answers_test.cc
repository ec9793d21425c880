#include "object_store/aws_answers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace barman::object_store {
namespace {

using testing::ElementsAre;

template <typename Action>
void expect_corrupt(const Action& action) {
  try {
    action();
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::corrupt) << error.message();
  }
}

TEST(AwsAnswers, ReadsPagesOfListings) {
  const ListedPage page = parse_listed_page(
      R"(<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><EncodingType>url</EncodingType>
<IsTruncated>true</IsTruncated><NextContinuationToken>a+b/c=</NextContinuationToken>
<Contents><Key>main/a%2Bb+c%20d</Key><LastModified>2026-11-29T19:00:00.250Z</LastModified><ETag>&quot;x&quot;</ETag><Size>12345678901</Size></Contents>
<CommonPrefixes><Prefix>main/base/</Prefix></CommonPrefixes></ListBucketResult>)");
  ASSERT_EQ(page.objects.size(), 1U);
  EXPECT_EQ(page.objects[0].key, "main/a+b c d");
  EXPECT_EQ(page.objects[0].size_bytes, 12'345'678'901U);
  EXPECT_EQ(page.objects[0].mtime_seconds, 1'795'978'800);
  EXPECT_EQ(page.objects[0].mtime_nanoseconds, 250'000'000);
  EXPECT_THAT(page.directories, ElementsAre("main/base/"));
  EXPECT_TRUE(page.is_truncated);
  EXPECT_EQ(page.next_token, "a+b/c=");
}

TEST(AwsAnswers, DecodesNamesOnlyWhereTheyAreEncoded) {
  const ListedPage page = parse_listed_page(
      "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>a%2B &amp; b</Key>"
      "<LastModified>2026-11-29T19:00:00Z</LastModified><Size>0</Size></Contents>"
      "</ListBucketResult>");
  ASSERT_EQ(page.objects.size(), 1U);
  EXPECT_EQ(page.objects[0].key, "a%2B & b");
}

TEST(AwsAnswers, RefusesWhatIsNoListing) {
  for (const char* bad :
       {"", "<html>", "<html></html>", "<ListBucketResult>",
        "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
        "<ListBucketResult><Contents><Key>a</Key><Size>-1</Size></Contents></ListBucketResult>",
        "<ListBucketResult><Contents><Key>a</Key><Size>1</Size>"
        "<LastModified>yesterday</LastModified></Contents></ListBucketResult>"}) {
    expect_corrupt([&] { parse_listed_page(bad); });
  }
}

TEST(AwsAnswers, ReadsErrors) {
  const auto error = find_aws_error(
      "<?xml version='1.0'?><Error><Code>NoSuchKey</Code><Message>gone</Message>"
      "<Region>eu-west-1</Region><RequestId>tx1</RequestId></Error>");
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, "NoSuchKey");
  EXPECT_EQ(error->message, "gone");
  EXPECT_EQ(error->region, "eu-west-1");
  EXPECT_EQ(error->request_id, "tx1");
  const auto sts = find_aws_error(
      "<ErrorResponse xmlns='https://sts.amazonaws.com/doc/2011-06-15/'><Error><Type>Sender</Type>"
      "<Code>ExpiredToken</Code><Message>old</Message></Error><RequestId>r</RequestId>"
      "</ErrorResponse>");
  ASSERT_TRUE(sts);
  EXPECT_EQ(sts->code, "ExpiredToken");
  EXPECT_EQ(sts->request_id, "r");
  EXPECT_FALSE(find_aws_error("<html><Error/></html>"));
  EXPECT_FALSE(find_aws_error("bad gateway"));
  EXPECT_FALSE(find_aws_error(""));
}

TEST(AwsAnswers, ReadsUploadsAndDeletions) {
  EXPECT_EQ(parse_upload_id("<InitiateMultipartUploadResult><UploadId>2~x</UploadId>"
                            "</InitiateMultipartUploadResult>"),
            "2~x");
  expect_corrupt([] { parse_upload_id("<InitiateMultipartUploadResult/>"); });
  const UploadsPage page = parse_uploads_page(
      "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated><Upload><Key>k</Key>"
      "<UploadId>u</UploadId><Initiated>2026-11-29T19:00:00Z</Initiated></Upload>"
      "</ListMultipartUploadsResult>");
  ASSERT_EQ(page.uploads.size(), 1U);
  EXPECT_EQ(page.uploads[0].key, "k");
  EXPECT_EQ(page.uploads[0].id, "u");
  const auto failed = parse_failed_deletions(
      "<DeleteResult><Deleted><Key>x</Key></Deleted><Error><Key>k</Key><Code>AccessDenied</Code>"
      "<Message>no</Message></Error></DeleteResult>");
  ASSERT_EQ(failed.size(), 1U);
  EXPECT_EQ(failed[0].key, "k");
  EXPECT_EQ(failed[0].code, "AccessDenied");
}

TEST(AwsAnswers, ReadsPagesOfVersions) {
  const VersionsPage page = parse_versions_page(
      "<ListVersionsResult><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>"
      "<NextKeyMarker>a%20b</NextKeyMarker><NextVersionIdMarker>2</NextVersionIdMarker>"
      "<Version><Key>a%20b</Key><VersionId>1</VersionId></Version>"
      "<DeleteMarker><Key>a%20b</Key><VersionId>2</VersionId></DeleteMarker>"
      "</ListVersionsResult>");
  ASSERT_EQ(page.versions.size(), 2U);
  EXPECT_EQ(page.versions[0].key, "a b");
  EXPECT_EQ(page.versions[1].id, "2");
  EXPECT_EQ(page.next_key, "a b");
  expect_corrupt([] { parse_versions_page("<ListBucketResult/>"); });
  expect_corrupt([] {
    parse_versions_page("<ListVersionsResult><Version><Key>a</Key></Version></ListVersionsResult>");
  });
}

TEST(AwsAnswers, WritesRequests) {
  const std::vector<ObjectVersion> versions = {{.key = "a&b"}, {.key = "c\nd", .id = "v<1"}};
  EXPECT_THAT(deletion_request(versions),
              testing::EndsWith("<Quiet>true</Quiet><Object><Key>a&amp;b</Key></Object><Object>"
                                "<Key>c&#10;d</Key><VersionId>v&lt;1</VersionId></Object>"
                                "</Delete>"));
  EXPECT_THAT(completion_request({{.number = 1, .etag = "\"e\""}}),
              testing::EndsWith("<Part><PartNumber>1</PartNumber><ETag>&quot;e&quot;</ETag></Part>"
                                "</CompleteMultipartUpload>"));
}

TEST(AwsAnswers, ReadsKeysOfSessions) {
  const SessionKeys session = parse_session_keys(
      "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>a</AccessKeyId>"
      "<SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>"
      "<Expiration>2026-11-29T20:00:00Z</Expiration></Credentials></AssumeRoleResult>"
      "</AssumeRoleResponse>");
  EXPECT_EQ(session.keys.access_key, "a");
  EXPECT_EQ(session.keys.session_token, "t");
  ASSERT_TRUE(session.expires);
  EXPECT_EQ(session.expires->seconds(), 1'795'982'400);
  expect_corrupt([] { parse_session_keys("<AssumeRoleResponse/>"); });
}

}  // namespace
}  // namespace barman::object_store
