#include "object_store/s3_client.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <utility>

#include <fmt/format.h>

#include "base/log.h"
#include "base/text.h"
#include "base/timestamp.h"
#include "object_store/aws_answers.h"
#include "object_store/wire_text.h"

namespace barman::object_store {
namespace {

constexpr std::chrono::seconds kUsualReadTimeout{60};
constexpr unsigned kMaxRedirects = 3;
constexpr std::string_view kS3Component = "barman.cloud";
// Requests are good for a quarter of an hour.
constexpr std::int64_t kMaxSkewSeconds = 300;

struct CodeHint {
  std::string_view code;
  std::string_view hint;
};
constexpr std::array kHints = {
    CodeHint{"NoSuchBucket", "Create the bucket, or correct its name."},
    CodeHint{"InvalidBucketName",
             "Correct the name of the bucket, the first word of the URL: 3 to 63 small letters, "
             "digits, dots and hyphens."},
    CodeHint{"BucketAlreadyExists", "The bucket is another account's: choose another name."},
    CodeHint{"InvalidAccessKeyId",
             "Look at AWS_ACCESS_KEY_ID or at the profile, and at the endpoint: this provider does "
             "not know the access key."},
    CodeHint{"SignatureDoesNotMatch",
             "Look at AWS_SECRET_ACCESS_KEY or at the profile, and whether a proxy changes "
             "requests."},
    CodeHint{"RequestTimeTooSkewed", "Set the clock of this host."},
    CodeHint{"ExpiredToken", "Renew the keys of the session."},
    CodeHint{"QuotaExceeded", "Delete old backups, or have the quota raised."},
    CodeHint{"SlowDown", "Use fewer jobs, or try again later."},
    CodeHint{"InvalidObjectState", "The object lies in an archive: restore it there first."},
    CodeHint{"KMS.NotFoundException", "Look at the ID of the KMS key."},
};

constexpr std::array<std::string_view, 4> kExpiredCodes = {"ExpiredToken", "ExpiredTokenException",
                                                           "InvalidToken", "TokenRefreshRequired"};

HttpSettings s3_http_settings(const StoreOptions& options, const AwsSettings& settings) {
  HttpSettings result{.connect_timeout = options.connect_limit.value_or(kConnectTimeout),
                      .read_timeout = options.read_timeout.value_or(kUsualReadTimeout),
                      .ca_file = settings.ca_file,
                      .max_bytes_per_second = options.max_bytes_per_second,
                      .interrupt = options.interrupt};
  if (settings.variable("http_proxy").empty()) result.http_proxy = settings.variable("HTTP_PROXY");
  return result;
}

// What policies call the right to an operation, where that is not its own name.
std::string action_of(const StoreCall& call) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 11> kActions = {
      {{"HeadObject", "s3:GetObject and s3:ListBucket"},
       {"HeadBucket", "s3:ListBucket"},
       {"ListObjectsV2", "s3:ListBucket"},
       {"ListObjectVersions", "s3:ListBucketVersions"},
       {"ListMultipartUploads", "s3:ListBucketMultipartUploads"},
       {"CreateMultipartUpload", "s3:PutObject"},
       {"UploadPart", "s3:PutObject"},
       {"CompleteMultipartUpload", "s3:PutObject"},
       {"DeleteObjects", "s3:DeleteObject"},
       {"GetObjectRetention", "s3:GetObjectRetention"},
       {"CopyObject", "s3:PutObject"}}};
  const auto found = std::ranges::find(kActions, std::string_view(call.operation),
                                       &std::pair<std::string_view, std::string_view>::first);
  return found == kActions.end() ? fmt::format("s3:{}", call.operation)
                                 : std::string(found->second);
}

// It becomes a part of a host's name.
bool is_region(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

}  // namespace

S3Client::S3Client(const StoreUrl& url, const StoreOptions& options)
    : S3Client(url, options, load_aws_settings(options)) {}

S3Client::S3Client(const StoreUrl& url, const StoreOptions& options, AwsSettings settings)
    : StoreClient(url, options, s3_http_settings(options, settings), settings.max_attempts),
      settings_(std::move(settings)),
      credentials_(settings_, http()),
      endpoint_(s3_endpoint(settings_, url.bucket)) {}

S3Endpoint S3Client::endpoint() const {
  const std::lock_guard lock(mutex_);
  return endpoint_;
}

std::string S3Client::place() const {
  const S3Endpoint now = endpoint();
  return fmt::format("{}://{}", now.scheme, now.host);
}

std::string S3Client::authority_hint() const {
  return "Set AWS_CA_BUNDLE to the certificates of its authority.";
}

void S3Client::begin(const StoreCall& call, Attempts& state) const {
  if (!call.body.empty() || call.operation == "PutObject") state.md5 = base64(md5(call.body));
  // Over TLS nothing changes the body on its way, and the provider compares Content-MD5.
  state.payload_hash = !state.md5.empty() && endpoint().is_encrypted()
                           ? std::string(kUnsignedPayload)
                           : hex(sha256(call.body));
}

HttpRequest S3Client::prepare(const StoreCall& call, const Attempts& state) {
  S3Endpoint now = endpoint();
  if (!state.host.empty()) now.host = state.host;
  AwsRequest request{.method = call.method,
                     .host = now.host,
                     .encoded_path = now.encoded_path(call.key.empty() ? "" : full_key(call.key)),
                     .query = call.query,
                     .headers = call.headers,
                     .payload_hash = state.payload_hash};
  if (!state.md5.empty()) request.headers.emplace_back("Content-MD5", state.md5);
  Timestamp time = now_local();
  time.microseconds += clock_ahead_seconds_ * 1'000'000;
  return {.method = call.method,
          .url = now.url(request.encoded_path, query_text(call.query)),
          .headers = sign_aws_request(request, credentials_.keys(), now.scope, time),
          .body = call.body,
          .into = call.into,
          .on_interrupt = call.on_interrupt};
}

ProviderError S3Client::error_of(const HttpAnswer& answer) const {
  ProviderError result;
  if (const auto error = find_aws_error(answer.body)) {
    result = {.code = error->code, .message = error->message, .request_id = error->request_id};
  }
  if (result.request_id.empty()) result.request_id = answer.header("x-amz-request-id");
  return result;
}

S3Client::Verdict S3Client::judge(const StoreCall&, const HttpAnswer& answer,
                                  const ProviderError& error, Attempts& state) {
  if (state.redirects < kMaxRedirects) {
    ++state.redirects;
    if (follow_region(answer, error)) return Verdict::try_at_once;
    const std::string location = answer.header("location");
    const std::string scheme = endpoint().scheme + "://";
    if (answer.status == 307 && location.starts_with(scheme)) {
      const std::string rest = location.substr(scheme.size());
      state.host = rest.substr(0, rest.find_first_of("/?"));
      return Verdict::try_at_once;
    }
  }
  const bool is_expired = std::ranges::find(kExpiredCodes, error.code) != kExpiredCodes.end();
  if (is_expired && !state.has_new_keys) {
    state.has_new_keys = true;
    if (credentials_.forget()) return Verdict::try_at_once;
  }
  if (!state.has_new_clock) {
    const auto date = parse_timestamp(answer.header("date"));
    const std::int64_t ahead = date ? date->time.seconds() - now_local().seconds() : 0;
    // The answer to HEAD has no body that would tell the code.
    const bool is_skewed = error.code == "RequestTimeTooSkewed" ||
                           (answer.status == 403 && error.code.empty() &&
                            std::abs(ahead - clock_ahead_seconds_.load()) > kMaxSkewSeconds);
    if (date && is_skewed) {
      state.has_new_clock = true;
      clock_ahead_seconds_ = ahead;
      log::warning(kS3Component, "the clock of this host differs from that of {} by {} s",
                   endpoint().host, clock_ahead_seconds_.load());
      return Verdict::try_at_once;
    }
  }
  return Verdict::fail;
}

// True when the bucket is in another region than we thought.
bool S3Client::follow_region(const HttpAnswer& answer, const ProviderError& error) {
  const bool is_redirect = answer.status == 301 || answer.status == 307 || answer.status == 308;
  const bool is_about_region =
      answer.status == 400 && (error.code.empty() || error.code == "AuthorizationHeaderMalformed" ||
                               error.code == "IllegalLocationConstraintException");
  if (!is_redirect && !is_about_region) return false;
  std::string region = answer.header("x-amz-bucket-region");
  if (region.empty()) {
    if (const auto told = find_aws_error(answer.body)) region = told->region;
  }
  const std::lock_guard lock(mutex_);
  if (!is_region(region) || region == endpoint_.scope.region) return false;
  AwsSettings moved = settings_;
  moved.region = region;
  endpoint_ = s3_endpoint(moved, url().bucket);
  return true;
}

std::string S3Client::hint_for(const StoreCall& call, const StoreError::Answer& answer) const {
  const auto found = std::ranges::find(kHints, answer.code, &CodeHint::code);
  if (found != kHints.end()) return std::string(found->hint);
  // "... Server Side Encryption with Customer provided keys ...", "The encryption parameters ...".
  if (answer.http_status == 400 && answer.message.find("ncryption") != std::string::npos) {
    return "Give the key with which it was written (--sse-customer-key, aws_sse_customer_key), or "
           "none, when it was written without.";
  }
  if (answer.http_status == 403 || answer.http_status == 401) {
    const std::string allow = fmt::format(
        "llow {} for these keys, in the policy of the user or of the bucket.", action_of(call));
    // An answer without a body does not tell which of the two it is.
    return answer.code.empty()
               ? "Look at the keys (a wrong secret is refused like this), and a" + allow
               : "A" + allow;
  }
  return {};
}

}  // namespace barman::object_store
