// What S3 and STS answer in XML, as Amazon's API references say. Whatever comes is either read or
// refused with `corrupt`; values are taken as they are, and checked where they are used.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "object_store/aws_signature.h"
#include "object_store/object_store.h"
#include "storage/storage.h"

namespace barman::object_store {

struct AwsErrorAnswer {
  std::string code;
  std::string message;
  std::string request_id;
  // Where the bucket is, when that is what was wrong.
  std::string region;
  std::string endpoint;
};
// nullopt for what is no answer about an error: a page of a proxy, the answer of a success.
std::optional<AwsErrorAnswer> find_aws_error(std::string_view xml);

// ListObjectsV2. Names are decoded.
struct ListedPage {
  std::vector<storage::ObjectFacts> objects;
  std::vector<std::string> directories;  // common prefixes, with their slash
  bool is_truncated = false;
  std::string next_token;
};
ListedPage parse_listed_page(std::string_view xml);

// ListMultipartUploads.
struct UploadsPage {
  std::vector<UnfinishedUpload> uploads;
  bool is_truncated = false;
  std::string next_key;
  std::string next_id;
};
UploadsPage parse_uploads_page(std::string_view xml);

// One version of an object, or a mark that it was deleted; with an empty ID the object itself.
struct ObjectVersion {
  std::string key;  // in the bucket
  std::string id = {};
};
// ListObjectVersions.
struct VersionsPage {
  std::vector<ObjectVersion> versions;
  bool is_truncated = false;
  std::string next_key;
  std::string next_version;
};
VersionsPage parse_versions_page(std::string_view xml);

// CreateMultipartUpload.
std::string parse_upload_id(std::string_view xml);

// DeleteObjects.
struct FailedDeletion {
  std::string key;
  std::string code;
  std::string message;
};
std::vector<FailedDeletion> parse_failed_deletions(std::string_view xml);
std::string deletion_request(std::span<const ObjectVersion> versions);

struct UploadedPart {
  unsigned number = 0;
  std::string etag;
};
std::string completion_request(const std::vector<UploadedPart>& parts);

// AssumeRole and AssumeRoleWithWebIdentity.
struct SessionKeys {
  AwsKeys keys;
  std::optional<Timestamp> expires;
};
SessionKeys parse_session_keys(std::string_view xml);

}  // namespace barman::object_store
