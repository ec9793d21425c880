#include "object_store/azure_keys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "object_store/azure_answers.h"
#include "object_store/azure_upload.h"
#include "object_store/wire_text.h"

namespace barman::object_store {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

TEST(AzureKeys, ReadsConnectionStrings) {
  const AzureConnection usual = parse_azure_connection(
      "DefaultEndpointsProtocol=https;AccountName=acct;AccountKey=" + base64("key=with=signs") +
      ";EndpointSuffix=core.windows.net");
  EXPECT_EQ(usual.blob_endpoint, "https://acct.blob.core.windows.net");
  EXPECT_EQ(usual.account, "acct");
  EXPECT_EQ(usual.key, "key=with=signs");
  const AzureConnection emulator = parse_azure_connection(
      "AccountName=a;AccountKey=a2V5;BlobEndpoint=http://127.0.0.1:10000/a/;");
  EXPECT_EQ(emulator.blob_endpoint, "http://127.0.0.1:10000/a");
  const AzureConnection signature = parse_azure_connection(
      "BlobEndpoint=https://acct.blob.core.windows.net;SharedAccessSignature=sv=2021&sig=a%3D");
  EXPECT_EQ(signature.signature, "sv=2021&sig=a%3D");
  EXPECT_EQ(parse_azure_connection("UseDevelopmentStorage=true").account, "devstoreaccount1");
  for (const char* bad : {"", "nonsense", "AccountName=a", "AccountName=a;AccountKey=*",
                          "AccountKey=a2V5", "BlobEndpoint=http://x"}) {
    EXPECT_THROW(parse_azure_connection(bad), Error) << bad;
  }
}

// The example of "Authorize with Shared Key" of the reference of the Storage services REST API has
// no signature; this one is of the SDK for Python.
TEST(AzureKeys, SignsWhatTheServiceSigns) {
  const HttpRequest request{.method = "GET",
                            .headers = {{"x-ms-version", "2021-12-02"},
                                        {"x-ms-date", "Sun, 29 Nov 2026 19:00:00 GMT"},
                                        {"Range", "bytes=0-9"}}};
  const QueryParameters query = {{"restype", "container"}, {"comp", "list"}};
  const std::string expected =
      "GET\n\n\n\n\n\n\n\n\n\n\nbytes=0-9\nx-ms-date:Sun, 29 Nov 2026 19:00:00 GMT\n"
      "x-ms-version:2021-12-02\n/acct/cont\ncomp:list\nrestype:container";
  EXPECT_EQ(azure_shared_key("acct", "key", request, "/cont", query),
            "SharedKey acct:" + base64(hmac_sha256("key", expected)));
}

TEST(AzureAnswers, ReadsPagesOfListings) {
  const ListedPage page = parse_azure_page(
      "\xef\xbb\xbf<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults><Blobs>"
      "<Blob><Name>main/a b</Name><Properties><Last-Modified>Sun, 29 Nov 2026 19:00:00 "
      "GMT</Last-Modified><Content-Length>12</Content-Length></Properties></Blob>"
      "<Blob><Name Encoded=\"true\">a%EF%BF%BEb</Name><Properties><Last-Modified>Sun, 29 Nov 2026 "
      "19:00:00 GMT</Last-Modified><Content-Length>0</Content-Length></Properties></Blob>"
      "<BlobPrefix><Name>main/base/</Name></BlobPrefix></Blobs><NextMarker>m</NextMarker>"
      "</EnumerationResults>");
  ASSERT_EQ(page.objects.size(), 2U);
  EXPECT_EQ(page.objects[0].key, "main/a b");
  EXPECT_EQ(page.objects[0].size_bytes, 12U);
  EXPECT_EQ(page.objects[0].mtime_seconds, 1'795'978'800);
  EXPECT_EQ(page.objects[1].key,
            "a\xef\xbf\xbe"
            "b");
  EXPECT_THAT(page.directories, ElementsAre("main/base/"));
  EXPECT_TRUE(page.is_truncated);
  for (const char* bad : {"", "<html/>",
                          "<EnumerationResults><Blobs><Blob/></Blobs>"
                          "</EnumerationResults>"}) {
    EXPECT_THROW(parse_azure_page(bad), Error) << bad;
  }
  EXPECT_EQ(parse_azure_error("<Error><Code>BlobNotFound</Code><Message>gone\nRequestId:x</Message>"
                              "</Error>")
                .message,
            "gone");
  EXPECT_EQ(parse_azure_error("nonsense").code, "");
}

TEST(AzureUpload, HasRoomForFiveTebibytesInFiftyThousandBlocks) {
  std::uint64_t total = 0;
  for (unsigned number = 1; number <= 50'000; ++number) {
    total += azure_block_size(std::uint64_t{2} << 20U, number);
  }
  EXPECT_GE(total, std::uint64_t{5} << 40U);
  EXPECT_EQ(azure_block_size(std::uint64_t{2} << 20U, 50'001), 0U);
}

}  // namespace
}  // namespace barman::object_store
