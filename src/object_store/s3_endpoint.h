// Where the requests for a bucket go: the host and the beginning of the path, by endpoint, region
// and addressing style. Pure.
#pragma once

#include <optional>
#include <string>

#include "object_store/aws_settings.h"
#include "object_store/aws_signature.h"

namespace barman::object_store {

struct S3Endpoint {
  std::string scheme;  // "https"
  std::string host;    // with the port, unless it is that of the scheme
  std::string path;    // before the key: "/bucket", or "" where the host names the bucket
  AwsScope scope;
  // A server of the user's, or one that the provider has redirected us to: the region of a bucket
  // changes nothing about it.
  bool is_custom = false;

  std::string encoded_path(const std::string& key) const;
  std::string url(const std::string& encoded_path, const std::string& query) const;
  bool is_encrypted() const { return scheme == "https"; }
};

// Throws `config` for an endpoint that is no URL, and for an ARN with path style.
S3Endpoint s3_endpoint(const AwsSettings& settings, const std::string& bucket);

// Whether the name can be the first part of a host's: lower case, digits, hyphens.
bool is_host_label(const std::string& bucket);

}  // namespace barman::object_store
