#include "object_store/aws_settings.h"

#include <cstdlib>
#include <filesystem>

#include <fmt/format.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"

namespace barman::object_store {
namespace {

constexpr std::size_t kMaxSettingsSize = std::size_t{4} << 20;
constexpr unsigned kAttemptsOfStandardMode = 3;

std::string value_at(const std::map<std::string, std::string>& settings, const std::string& key) {
  const auto found = settings.find(key);
  return found == settings.end() ? std::string() : found->second;
}

// A blank and "#" or ";" begin a comment behind a value.
std::string_view without_comment(std::string_view value) {
  for (const std::string_view mark : {" #", " ;", "\t#", "\t;"}) {
    value = value.substr(0, value.find(mark));
  }
  return strip(value);
}

std::string in_home(const AwsSettings& settings, const std::string& path) {
  return settings.variable("HOME") + path;
}

AwsSections read_aws_file(const AwsSettings& settings, const std::string& variable,
                          const std::string& usual) {
  std::string path = settings.variable(variable);
  if (path.empty()) path = in_home(settings, usual);
  if (path.starts_with("~/")) path = in_home(settings, path.substr(1));
  const auto text = find_and_read_file(path, kMaxSettingsSize, Links::follow);
  return text ? parse_aws_file(*text) : AwsSections();
}

bool is_true(const std::string& text) { return to_lower(text) == "true"; }

std::string first_of(std::initializer_list<std::string> candidates) {
  for (const std::string& candidate : candidates) {
    if (!candidate.empty()) return candidate;
  }
  return {};
}

std::optional<AddressingStyle> parse_addressing_style(const std::string& word) {
  if (word.empty()) return std::nullopt;
  if (word == "auto") return AddressingStyle::automatic;
  if (word == "virtual") return AddressingStyle::virtual_host;
  if (word == "path") return AddressingStyle::path;
  throw Error(ErrorKind::config,
              fmt::format("s3.addressing_style of the AWS profile is \"{}\"", word),
              "Write auto, virtual or path.");
}

unsigned parse_attempts(const AwsSettings& settings) {
  const std::string text =
      first_of({settings.variable("AWS_MAX_ATTEMPTS"), settings.profile.setting("max_attempts")});
  if (!text.empty()) {
    const auto number = parse_integer(text);
    if (!number || *number < 1 || *number > 100) {
      throw Error(ErrorKind::config, fmt::format("AWS_MAX_ATTEMPTS is \"{}\"", text),
                  "Write a number between 1 and 100.");
    }
    return static_cast<unsigned>(*number);
  }
  const std::string mode =
      first_of({settings.variable("AWS_RETRY_MODE"), settings.profile.setting("retry_mode")});
  return mode == "standard" || mode == "adaptive" ? kAttemptsOfStandardMode
                                                  : AwsSettings().max_attempts;
}

void choose_profile(const StoreOptions& options, AwsSettings& settings) {
  settings.is_profile_given = !options.profile.empty();
  const std::string named = first_of({options.profile, settings.variable("AWS_PROFILE"),
                                      settings.variable("AWS_DEFAULT_PROFILE")});
  const std::string name = named.empty() ? "default" : named;
  const auto profile = settings.find_profile(name);
  if (!profile && !named.empty()) {
    throw Error(ErrorKind::config, fmt::format("The config profile ({}) could not be found", name),
                "Look at ~/.aws/config and ~/.aws/credentials, or choose another profile.");
  }
  settings.profile = profile.value_or(AwsProfile{.name = name});
}

}  // namespace

Environment environment_of(const StoreOptions& options) {
  return [given = options.environment](const std::string& name) -> std::optional<std::string> {
    std::optional<std::string> value;
    if (given) {
      value = given(name);
    } else if (const char* const text = std::getenv(name.c_str()); text != nullptr) {
      value = text;
    }
    if (value && value->empty()) value.reset();
    return value;
  };
}

AwsSections parse_aws_file(std::string_view text) {
  AwsSections sections;
  std::map<std::string, std::string>* section = nullptr;
  std::string parent;  // of indented lines
  for (const std::string& line : split(text, '\n')) {
    const std::string_view content = strip(line);
    if (content.empty() || content.starts_with('#') || content.starts_with(';')) continue;
    const bool is_indented = line.front() == ' ' || line.front() == '\t';
    if (content.starts_with('[') && !is_indented) {
      const std::size_t end = content.find(']');
      section = nullptr;
      if (end == std::string_view::npos) continue;
      section = &sections[join(split_blanks(content.substr(1, end - 1)), " ")];
      parent.clear();
      continue;
    }
    const std::size_t equals = content.find('=');
    if (section == nullptr || equals == std::string_view::npos) continue;
    const std::string key = to_lower(strip(content.substr(0, equals)));
    const std::string_view value = without_comment(content.substr(equals + 1));
    if (is_indented && !parent.empty()) {
      (*section)[parent + "." + key] = value;
    } else {
      (*section)[key] = value;
      parent = value.empty() ? key : "";
    }
  }
  return sections;
}

std::string AwsProfile::credential(const std::string& key) const {
  return value_at(credentials, key);
}

std::string AwsProfile::setting(const std::string& key) const { return value_at(config, key); }

std::string AwsSettings::variable(const std::string& name) const {
  return environment(name).value_or("");
}

std::optional<AwsProfile> AwsSettings::find_profile(const std::string& name) const {
  AwsProfile result{.name = name};
  bool is_found = false;
  if (const auto found = credentials_file.find(name); found != credentials_file.end()) {
    result.credentials = found->second;
    is_found = true;
  }
  for (const std::string& section : {"profile " + name, name}) {
    // Only the default profile goes without the word.
    if (section == name && name != "default") continue;
    if (const auto found = config_file.find(section); found != config_file.end()) {
      result.config.insert(found->second.begin(), found->second.end());
      is_found = true;
    }
  }
  if (!is_found) return std::nullopt;
  return result;
}

AwsSettings load_aws_settings(const StoreOptions& options) {
  AwsSettings settings{.environment = environment_of(options)};
  settings.credentials_file =
      read_aws_file(settings, "AWS_SHARED_CREDENTIALS_FILE", "/.aws/credentials");
  settings.config_file = read_aws_file(settings, "AWS_CONFIG_FILE", "/.aws/config");
  choose_profile(options, settings);
  const AwsProfile& profile = settings.profile;
  settings.region = first_of({options.region, settings.variable("AWS_DEFAULT_REGION"),
                              settings.variable("AWS_REGION"), profile.setting("region"),
                              profile.credential("region")});
  settings.endpoint_url = options.endpoint_url;
  if (!is_true(settings.variable("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"))) {
    settings.endpoint_url =
        first_of({options.endpoint_url, settings.variable("AWS_ENDPOINT_URL_S3"),
                  settings.variable("AWS_ENDPOINT_URL"), profile.setting("s3.endpoint_url"),
                  profile.setting("endpoint_url")});
  }
  settings.addressing_style = options.addressing_style
                                  ? options.addressing_style
                                  : parse_addressing_style(profile.setting("s3.addressing_style"));
  settings.max_attempts = options.max_attempts.value_or(parse_attempts(settings));
  settings.ca_file = first_of({settings.variable("AWS_CA_BUNDLE"), profile.setting("ca_bundle")});
  settings.uses_dual_stack = is_true(first_of({settings.variable("AWS_USE_DUALSTACK_ENDPOINT"),
                                               profile.setting("use_dualstack_endpoint")}));
  settings.uses_fips = is_true(
      first_of({settings.variable("AWS_USE_FIPS_ENDPOINT"), profile.setting("use_fips_endpoint")}));
  return settings;
}

}  // namespace barman::object_store
