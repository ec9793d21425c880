// What the environment and the shared files of AWS (~/.aws/config, ~/.aws/credentials) say, read
// and looked up as the SDK does.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "object_store/store_options.h"

namespace barman::object_store {

using Environment = std::function<std::optional<std::string>(const std::string& name)>;
// That of the options, or of the process. Empty variables are as if they were not set.
Environment environment_of(const StoreOptions& options);

// Sections of a file and their settings. Lines that are indented below "s3 =" become
// "s3.addressing_style". What is no setting is ignored, as by the SDK's.
using AwsSections = std::map<std::string, std::map<std::string, std::string>>;
AwsSections parse_aws_file(std::string_view text);

// One profile of both files.
struct AwsProfile {
  std::string name;
  std::map<std::string, std::string> credentials;
  std::map<std::string, std::string> config;

  // "" when it is not set.
  std::string credential(const std::string& key) const;
  std::string setting(const std::string& key) const;
};

struct AwsSettings {
  Environment environment;
  AwsSections credentials_file;
  AwsSections config_file;

  AwsProfile profile;
  // Of --aws-profile: keys of the environment are not used then.
  bool is_profile_given = false;

  std::string region;  // "" when nobody says it
  std::string endpoint_url;
  std::optional<AddressingStyle> addressing_style;
  unsigned max_attempts = 5;
  std::string ca_file;
  bool uses_dual_stack = false;
  bool uses_fips = false;

  // "" for what is not set.
  std::string variable(const std::string& name) const;
  // nullopt when neither file has it.
  std::optional<AwsProfile> find_profile(const std::string& name) const;
};

// Throws `config`: "The config profile (p) could not be found", a word that is none.
AwsSettings load_aws_settings(const StoreOptions& options);

}  // namespace barman::object_store
