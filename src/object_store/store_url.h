// Where a bucket is, as users write it: s3://BUCKET/PATH, s3://ARN/PATH,
// https://ACCOUNT.blob.core.windows.net/CONTAINER/PATH (or http://HOST:PORT/ACCOUNT/CONTAINER/PATH
// of an emulator), gs://BUCKET/PATH, https://console.cloud.google.com/storage/browser/BUCKET/PATH.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace barman::object_store {

enum class Provider { aws_s3, azure_blob_storage, google_cloud_storage };

// The words of --cloud-provider: "aws-s3", "azure-blob-storage", "google-cloud-storage".
std::string_view provider_word(Provider provider);
std::optional<Provider> find_provider(std::string_view word);

struct StoreUrl {
  Provider provider = Provider::aws_s3;
  // Azure only: "https://ACCOUNT.blob.core.windows.net", or "http://HOST:PORT/ACCOUNT" of an
  // emulator.
  std::string account_url;
  std::string account;
  bool is_emulated = false;
  // The bucket, container, or the whole ARN of an access point.
  std::string bucket;
  // PATH without slashes at its ends. Keys lie below it: `prefix` + "/" + key.
  std::string prefix;
  // PATH without leading slashes, as it was given. Barman keeps a trailing slash here and so writes
  // its annotations to "PATH//…": who looks for these opens a store with `prefix` set to this.
  std::string given_path;

  // "s3://bucket/path/key" and the like, for messages; without the key the place itself.
  std::string text(std::string_view key = {}) const;
};

// Throws `config`: "Invalid s3 URL address: …", "azure blob storage URL … is malformed", "Google
// cloud storage URL … is malformed. …".
StoreUrl parse_store_url(std::string_view url, Provider provider);
// Whether a value of the configuration is the URL of a bucket, and of which provider.
std::optional<Provider> find_provider_of_url(std::string_view url);

// "arn:aws:s3:REGION:ACCOUNT:accesspoint/NAME" and its relatives.
struct S3Arn {
  std::string partition;
  std::string service;  // "s3", "s3-object-lambda", "s3-outposts"
  std::string region;
  std::string account;
  std::string outpost;  // of s3-outposts
  std::string access_point;
};
// nullopt for what is a plain name of a bucket.
std::optional<S3Arn> find_arn(std::string_view bucket);

}  // namespace barman::object_store
