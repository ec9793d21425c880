// The examples of "Authenticating Requests: Using the Authorization Header" of Amazon S3's API
// reference.
#include "object_store/aws_signature.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "object_store/wire_text.h"

namespace barman::object_store {
namespace {

using testing::EndsWith;
using testing::HasSubstr;

const AwsKeys kExampleKeys{"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", ""};
constexpr Timestamp kExampleTime{1'369'353'600'000'000};
constexpr const char* kEmptyHash =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

std::string authorization(AwsRequest request, const AwsKeys& keys = kExampleKeys) {
  request.host = "examplebucket.s3.amazonaws.com";
  if (request.payload_hash.empty()) request.payload_hash = kEmptyHash;
  for (const auto& [name, value] :
       sign_aws_request(request, keys, {.region = "us-east-1"}, kExampleTime)) {
    if (name == "Authorization") return value;
  }
  return "";
}

TEST(AwsSignature, IsThatOfTheExamples) {
  const std::string get = authorization(
      {.method = "GET", .encoded_path = "/test.txt", .headers = {{"Range", "bytes=0-9"}}});
  EXPECT_THAT(get, HasSubstr("Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request"));
  EXPECT_THAT(get, HasSubstr("SignedHeaders=host;range;x-amz-content-sha256;x-amz-date"));
  EXPECT_THAT(
      get, EndsWith("Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"));
  EXPECT_THAT(
      authorization({.method = "PUT",
                     .encoded_path = "/" + percent_encoded("test$file.text"),
                     .headers = {{"Date", "Fri, 24 May 2013 00:00:00 GMT"},
                                 {"x-amz-storage-class", "REDUCED_REDUNDANCY"}},
                     .payload_hash = hex(sha256(as_bytes("Welcome to Amazon S3.")))}),
      EndsWith("Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"));
  EXPECT_THAT(
      authorization({.method = "GET", .encoded_path = "/", .query = {{"lifecycle", ""}}}),
      EndsWith("Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"));
  EXPECT_THAT(
      authorization(
          {.method = "GET", .encoded_path = "/", .query = {{"prefix", "J"}, {"max-keys", "2"}}}),
      EndsWith("Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"));
}

TEST(AwsSignature, ProvesTheTokenOfASession) {
  AwsKeys keys = kExampleKeys;
  keys.session_token = "token";
  EXPECT_THAT(authorization({.method = "GET", .encoded_path = "/"}, keys),
              HasSubstr("x-amz-date;x-amz-security-token,"));
}

TEST(WireText, SortsAndEncodesQueries) {
  EXPECT_EQ(query_text({{"uploadId", "a/b+c="}, {"partNumber", "1"}, {"prefix", "a b~"}}),
            "partNumber=1&prefix=a%20b~&uploadId=a%2Fb%2Bc%3D");
  EXPECT_EQ(query_text({{"uploads", ""}}), "uploads=");
}

TEST(WireText, EncodesAndDecodes) {
  EXPECT_EQ(percent_encoded("a/\xc3\xa4 +", "/"), "a/%C3%A4%20%2B");
  EXPECT_EQ(percent_decoded("a%2Fb%zz+%4"), "a/b%zz+%4");
  EXPECT_EQ(form_decoded("a+b%2B"), "a b+");
  for (const std::string text : {"", "a", "ab", "abc", "abcd"}) {
    EXPECT_EQ(base64_decoded(base64(text)), text);
  }
  EXPECT_EQ(base64("abcd"), "YWJjZA==");
  EXPECT_EQ(base64_decoded(" YWJj\nZA==\n"), "abcd");
  for (const char* bad : {"YWJjZA=", "YWJjZA", "YW*j", "YQ==YQ==", "Y==="}) {
    EXPECT_FALSE(base64_decoded(bad)) << bad;
  }
  EXPECT_EQ(hex(md5(as_bytes(""))), "d41d8cd98f00b204e9800998ecf8427e");
  EXPECT_EQ(random_hex(16).size(), 32U);
  EXPECT_NE(random_hex(16), random_hex(16));
}

}  // namespace
}  // namespace barman::object_store
