#include "cloud_cli/cloud_program.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <optional>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "base/log.h"
#include "base/log_format.h"
#include "base/program_start.h"
#include "base/text.h"
#include "base/unexpected.h"
#include "cloud/operation_failed.h"
#include "command_line/argument_value.h"
#include "command_line/parser.h"
#include "version.h"

namespace barman::cloud_cli {

using command_line::OptionSpec;
using command_line::ParsedArguments;
using command_line::PositionalSpec;
using command_line::Repetition;
using command_line::ValueKind;
using object_store::StoreOptions;

namespace {

constexpr std::size_t kMostTags = 10;
// As shells say it.
constexpr int kExitSignalBase = 128;
constexpr std::string_view kCloudComponent = "barman.cloud";
constexpr const char* kCloudLogFormat = "%(asctime)s [%(process)s] %(levelname)s: %(message)s";

std::optional<SignalSource>& signal_source() {
  static std::optional<SignalSource> source;
  return source;
}

std::vector<OptionSpec> general_options() {
  return {{.names = {"version"},
           .short_names = "V",
           .kind = ValueKind::version,
           .help = "show the version and exit"},
          {.names = {"help"}, .kind = ValueKind::help, .help = "show this help and exit"},
          {.names = {"verbose"},
           .short_names = "v",
           .help = "tell more: once what is done, twice every step",
           .repetition = Repetition::accumulate,
           .group = "verbosity"},
          {.names = {"quiet"},
           .short_names = "q",
           .help = "tell less: once errors only, twice critical ones only",
           .repetition = Repetition::accumulate,
           .group = "verbosity"},
          {.names = {"test"},
           .short_names = "t",
           .help = "only test whether the bucket can be reached"}};
}

std::vector<OptionSpec> provider_options() {
  return {{.names = {"cloud-provider"},
           .kind = ValueKind::choice,
           .help = "whose storage it is",
           .choices = {"aws-s3", "azure-blob-storage", "google-cloud-storage"},
           .default_text = "aws-s3"},
          {.names = {"endpoint-url"},
           .kind = ValueKind::text,
           .help = "another endpoint of S3 than that of AWS",
           .metavar = "ENDPOINT_URL"},
          {.names = {"addressing-style"},
           .kind = ValueKind::choice,
           .help = "where the name of the bucket stands in requests to S3",
           .choices = {"auto", "virtual", "path"}},
          {.names = {"aws-profile"},
           .short_names = "P",
           .kind = ValueKind::text,
           .help = "profile of the AWS configuration files",
           .metavar = "AWS_PROFILE",
           .group = "profile"},
          {.names = {"profile"},
           .kind = ValueKind::text,
           .help = "the same (deprecated)",
           .metavar = "AWS_PROFILE",
           .target = "aws_profile",
           .group = "profile"},
          {.names = {"read-timeout"},
           .kind = ValueKind::integer,
           .help = "seconds without a byte after which a request to S3 is tried again (60)",
           .metavar = "READ_TIMEOUT"},
          {.names = {"azure-credential", "credential", "default"},
           .kind = ValueKind::choice,
           .help = "which credentials of Azure to use; without it those of the environment, then "
                   "the default chain",
           .choices = {"azure-cli", "managed-identity", "default"},
           .target = "azure_credential"}};
}

OptionSpec customer_key_option() {
  return {.names = {"sse-customer-key"},
          .kind = ValueKind::text,
          .help =
              "file:///PATH of a key of 32 bytes in base64: S3 encrypts with it and does not "
              "keep it (SSE-C)",
          .metavar = "SSE_CUSTOMER_KEY",
          .words = "files"};
}

std::string text_of(const ParsedArguments& arguments, std::string_view key) {
  return arguments.find(key).value_or("");
}

// WARNING, one level down for each -v, one up for each -q.
int minimum_level(const ParsedArguments& arguments) {
  constexpr int kStep = 10;
  const auto more = static_cast<int>(arguments.list("verbose").size());
  const auto less = static_cast<int>(arguments.list("quiet").size());
  const int level = static_cast<int>(log::Level::warning) + kStep * (less - more);
  return std::clamp(level, static_cast<int>(log::Level::debug),
                    static_cast<int>(log::Level::critical));
}

void tell_error(const Error& error, const std::string& text) {
  log::write(log::Level::error, kCloudComponent, text + error.hint_line());
}

// "a,b" or "\"a,1\",b": one row of two fields.
std::optional<std::pair<std::string, std::string>> parse_csv_row(std::string_view text) {
  std::vector<std::string> fields(1);
  bool is_quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char letter = text[i];
    if (letter == '"' && is_quoted && i + 1 < text.size() && text[i + 1] == '"') {
      fields.back().push_back('"');
      ++i;
    } else if (letter == '"' && (is_quoted || fields.back().empty())) {
      is_quoted = !is_quoted;
    } else if (letter == ',' && !is_quoted) {
      fields.emplace_back();
    } else {
      fields.back().push_back(letter);
    }
  }
  if (fields.size() != 2) return std::nullopt;
  return std::pair(fields[0], fields[1]);
}

void check_tags(const object_store::ObjectTags& tags) {
  std::set<std::string> keys;
  for (const auto& [key, value] : tags) {
    if (keys.insert(key).second) continue;
    throw Error(ErrorKind::config,
                fmt::format("Duplicate tag keys found: {}. Tag keys must be unique.", key));
  }
  if (tags.size() > kMostTags) {
    throw Error(ErrorKind::config,
                "Maximum number of tags per object exceeded. S3 allows no more than 10 tags per "
                "object.");
  }
}

}  // namespace

command_line::ProgramSpec cloud_program(const CloudProgramParts& parts) {
  command_line::ProgramSpec spec = {.name = parts.name,
                                    .summary = parts.summary,
                                    .description = parts.description,
                                    .version = fmt::format("{} {}", parts.name, kVersion),
                                    .usage_exit_code = kExitBadLine,
                                    .failure_exit_code = kExitOtherError,
                                    .see_also = {"barman (1)"}};
  std::vector<OptionSpec>& options = spec.arguments.options;
  options = general_options();
  append_options(options, parts.options);
  append_options(options, provider_options());
  if (parts.takes_customer_key) options.push_back(customer_key_option());
  const bool is_source = parts.url == UrlRole::source;
  spec.arguments.positionals = {
      {.key = "url",
       .metavar = is_source ? "source_url" : "destination_url",
       .help = "s3://BUCKET/PATH, https://ACCOUNT.blob.core.windows.net/CONTAINER/PATH or "
               "gs://BUCKET/PATH"},
      {.key = "server_name",
       .metavar = "server_name",
       .help = "the name of the server in the bucket"}};
  for (const PositionalSpec& positional : parts.positionals) {
    spec.arguments.positionals.push_back(positional);
  }
  spec.exits = {{"0", "Done; with --test: the bucket can be used."},
                {"1", "The bucket could be reached, but what was asked for cannot be done."},
                {"2", "The provider cannot be reached."},
                {"3", "The command line cannot be used."},
                {"4", "Any other error: credentials, permissions, what the provider refuses."}};
  return spec;
}

std::vector<OptionSpec> upload_options() {
  return {{.names = {"encryption"},
           .short_names = "e",
           .kind = ValueKind::choice,
           .help = "encryption by S3",
           .choices = {"AES256", "aws:kms"}},
          {.names = {"sse-kms-key-id"},
           .kind = ValueKind::text,
           .help = "ID or ARN of the key of --encryption aws:kms",
           .metavar = "SSE_KMS_KEY_ID"},
          {.names = {"encryption-scope"},
           .kind = ValueKind::text,
           .help = "encryption scope of Azure",
           .metavar = "ENCRYPTION_SCOPE"},
          {.names = {"kms-key-name"},
           .kind = ValueKind::text,
           .help = "key of Google Cloud that encrypts what is written",
           .metavar = "KMS_KEY_NAME"}};
}

std::vector<OptionSpec> tag_options() {
  return {{.names = {"tag"},
           .kind = ValueKind::object_tag,
           .help = "tag of what is written; may be repeated",
           .metavar = "KEY,VALUE",
           .repetition = Repetition::accumulate,
           .group = "tags"},
          {.names = {"tags"},
           .kind = ValueKind::text,
           .help = "the same, several behind one name (deprecated)",
           .metavar = "KEY,VALUE",
           .repetition = Repetition::several_values,
           .group = "tags"}};
}

OptionSpec cloud_compression_option(std::string_view name, std::string_view short_name) {
  return {.names = {name},
          .short_names = short_name,
          .help = "compress what is written",
          .target = "compression",
          .constant = name,
          .group = "compression"};
}

OptionSpec format_option() {
  return {.names = {"format"},
          .kind = ValueKind::text,
          .help = "console or json",
          .metavar = "FORMAT",
          .default_text = "console"};
}

PositionalSpec backup_id_positional() {
  return {.key = "backup_id",
          .metavar = "backup_id",
          .help = "ID or name of a backup, or last, first, last-failed"};
}

void append_options(std::vector<OptionSpec>& options, const std::vector<OptionSpec>& more) {
  options.insert(options.end(), more.begin(), more.end());
}

object_store::ObjectTags parse_tags(const ParsedArguments& arguments, std::string_view key) {
  object_store::ObjectTags tags;
  for (const std::string& text : arguments.list(key)) {
    tags.push_back(command_line::parse_object_tag(text).value());
  }
  for (const std::string& text : arguments.list(fmt::format("{}s", key))) {
    auto tag = parse_csv_row(text);
    if (!tag) throw ProgramEnd(kExitBadLine, "Invalid tag format: " + text);
    tags.push_back(std::move(*tag));
  }
  check_tags(tags);
  return tags;
}

int run_guarded(std::string_view what, const ParsedArguments& arguments, CloudWork work) {
  log::open_log(std::nullopt, minimum_level(arguments));
  log::set_line_format(kCloudLogFormat);
  try {
    return work(arguments);
  } catch (const ProgramEnd& end) {
    tell_error(end, end.describe());
    return end.exit_code();
  } catch (const cloud::OperationFailed& failure) {
    tell_error(failure, failure.describe());
    return kExitOperationFailed;
  } catch (const Error& error) {  // The outermost place of a program.
    tell_error(error, fmt::format("Barman cloud {} exception: {}", what, error.describe()));
    if (error.kind() == ErrorKind::connection) return kExitNoStore;
    return error.kind() == ErrorKind::interrupted ? kExitOperationFailed : kExitOtherError;
  } catch (const command_line::UsageError&) {
    throw;
  } catch (const std::exception& error) {
    log::error(kCloudComponent, "Barman cloud {} exception: {}", what, as_error(error).describe());
    return kExitOtherError;
  }
}

Interrupt cloud_interrupt() {
  if (!signal_source()) signal_source().emplace();
  return signal_source()->interrupt();
}

int end_as_signalled(int exit_code) {
  const int signal = signal_source() ? signal_source()->interrupt().signal() : 0;
  if (exit_code == kExitDone || signal == 0) return exit_code;
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, signal);
  ::signal(signal, SIG_DFL);
  ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  ::raise(signal);
  return kExitSignalBase + signal;
}

StoreOptions store_options(const ParsedArguments& arguments) {
  StoreOptions options;
  options.endpoint_url = text_of(arguments, "endpoint_url");
  options.profile = text_of(arguments, "aws_profile");
  const std::string style = text_of(arguments, "addressing_style");
  if (style == "path") options.addressing_style = object_store::AddressingStyle::path;
  if (style == "virtual") options.addressing_style = object_store::AddressingStyle::virtual_host;
  if (style == "auto") options.addressing_style = object_store::AddressingStyle::automatic;
  if (const auto seconds = arguments.find_integer("read_timeout")) {
    options.read_timeout = std::chrono::seconds(*seconds);
  }
  const std::string credential = text_of(arguments, "azure_credential");
  using object_store::AzureCredential;
  if (credential == "azure-cli") options.azure_credential = AzureCredential::azure_cli;
  if (credential == "managed-identity") {
    options.azure_credential = AzureCredential::managed_identity;
  }
  if (credential == "default") options.azure_credential = AzureCredential::default_chain;
  return options;
}

StoreOptions keyed_store_options(const ParsedArguments& arguments) {
  StoreOptions options = store_options(arguments);
  if (const auto key = arguments.find("sse_customer_key")) {
    options.sse_customer_key = object_store::read_customer_key(*key);
  }
  return options;
}

StoreOptions upload_store_options(const ParsedArguments& arguments) {
  const std::string encryption = text_of(arguments, "encryption");
  const std::string kms_key = text_of(arguments, "sse_kms_key_id");
  if (arguments.has("sse_customer_key")) {
    for (const char* other : {"encryption", "sse_kms_key_id"}) {
      if (!arguments.has(other)) continue;
      throw Error(ErrorKind::config,
                  other == std::string_view("encryption")
                      ? "SSE-C (--sse-customer-key) cannot be used together with --encryption"
                      : "SSE-C (--sse-customer-key) cannot be used together with SSE-KMS "
                        "(--sse-kms-key-id)");
    }
  }
  if (!kms_key.empty() && encryption != "aws:kms") {
    throw Error(ErrorKind::config,
                "Encryption type must be \"aws:kms\" if SSE KMS Key ID is specified");
  }
  StoreOptions options = keyed_store_options(arguments);
  options.encryption = encryption;
  options.sse_kms_key_id = kms_key;
  options.encryption_scope = text_of(arguments, "encryption_scope");
  options.kms_key_name = text_of(arguments, "kms_key_name");
  return options;
}

OpenBucket open_bucket(const ParsedArguments& arguments, const StoreOptions& options,
                       FirstRequest request) {
  const auto provider = object_store::find_provider(arguments.get("cloud_provider")).value();
  const object_store::StoreUrl url = object_store::parse_store_url(arguments.get("url"), provider);
  if (request == FirstRequest::is_certain) object_store::prepare_requests();
  const std::string& server = arguments.get("server_name");
  OpenBucket bucket{.store = object_store::open_store(url, options),
                    .doubled = nullptr,
                    .layout = cloud::BucketLayout(server, url.prefix)};
  if (url.given_path.ends_with('/')) {
    object_store::StoreUrl doubled = url;
    doubled.prefix = url.given_path;
    bucket.doubled = object_store::open_store(doubled, options);
  }
  return bucket;
}

OpenBucket open_bucket(const ParsedArguments& arguments) {
  return open_bucket(arguments, keyed_store_options(arguments));
}

int test_connection(object_store::ObjectStore& store) {
  try {
    if (store.bucket_exists()) return kExitDone;
  } catch (const Error& error) {  // The answer to what was asked.
    if (error.kind() != ErrorKind::connection) throw;
    throw ProgramEnd(kExitNoStore, "Can't connect to cloud provider: " + error.describe(),
                     error.hint());
  }
  throw ProgramEnd(kExitOperationFailed,
                   fmt::format("Bucket {} does not exist", store.url().bucket));
}

void print_result(std::string_view text) {
  if (!write_plainly(STDOUT_FILENO, text)) throw_errno("cannot write to standard output");
}

}  // namespace barman::cloud_cli
