#include "object_store/store_client.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <random>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/log.h"
#include "base/retry.h"
#include "base/secrets.h"
#include "base/text.h"

namespace barman::object_store {
namespace {

constexpr std::chrono::milliseconds kLongestPause{20'000};
constexpr std::int64_t kLongestRetryAfterSeconds = 60;
// Of requests that go on after an interrupt: they clean up.
constexpr std::chrono::milliseconds kCleanUpLimit{10'000};
constexpr unsigned kCleanUpAttempts = 2;
constexpr std::size_t kMaxToldMessage = 500;
constexpr std::string_view kClientComponent = "barman.cloud";

// Problems that a later attempt may not have, in the words of all providers.
constexpr std::array<std::string_view, 19> kPassingCodes = {"SlowDown",
                                                            "InternalError",
                                                            "ServiceUnavailable",
                                                            "RequestTimeout",
                                                            "Throttling",
                                                            "BadDigest",
                                                            "OperationAborted",
                                                            "IncompleteBody",
                                                            "BandwidthLimitExceeded",
                                                            "RequestThrottled",
                                                            "ThrottlingException",
                                                            "RequestLimitExceeded",
                                                            "ConditionalRequestConflict",
                                                            "XAmzContentSHA256Mismatch",
                                                            "ServerBusy",
                                                            "OperationTimedOut",
                                                            "Md5Mismatch",
                                                            "backendError",
                                                            "rateLimitExceeded"};
constexpr std::array<int, 7> kPassingStatuses = {408, 429, 500, 502, 503, 504, 509};

ErrorKind kind_of_status(int status) {
  switch (status) {
    case 401:
    case 403:
      return ErrorKind::permission;
    case 404:
      return ErrorKind::not_found;
    case 409:
    case 412:
      return ErrorKind::conflict;
    default:
      return ErrorKind::remote;
  }
}

double random_share() {
  thread_local std::minstd_rand random{std::random_device{}()};
  return std::uniform_real_distribution<double>(0.5, 1.0)(random);
}

bool contains(const auto& values, const auto& value) {
  return std::ranges::find(values, value) != values.end();
}

bool is_missing_bucket(std::string_view code) {
  return code == "NoSuchBucket" || code == "ContainerNotFound";
}

}  // namespace

StoreClient::StoreClient(const StoreUrl& url, const StoreOptions& options, HttpSettings http,
                         unsigned max_attempts)
    : url_(url), options_(options), max_attempts_(max_attempts), http_(std::move(http)) {}

std::string StoreClient::full_key(std::string_view key) const {
  if (url_.prefix.empty()) return std::string(key);
  return fmt::format("{}/{}", url_.prefix, key);
}

HttpAnswer StoreClient::send(const StoreCall& call) {
  if (auto known = find_unreachable()) {
    HttpAnswer answer;
    answer.failure = HttpFailure::cannot_connect;
    answer.failure_text = *std::move(known);
    fail(call, answer);
  }
  const auto begun = std::chrono::steady_clock::now();
  Attempts state;
  begin(call, state);
  for (;;) {
    HttpRequest request = prepare(call, state);
    if (call.on_interrupt == HttpRequest::OnInterrupt::go_on) request.time_limit = kCleanUpLimit;
    HttpAnswer answer = http_.send(request);
    if (options_.connect_limit && !answer.is_whole() &&
        (answer.failure == HttpFailure::cannot_connect ||
         std::chrono::steady_clock::now() - begun >= *options_.connect_limit)) {
      note_unreachable(answer);
      fail(call, answer);
    }
    if (answer.is_whole() && contains(call.expected, answer.status)) return answer;
    // S3 begins to answer "200 OK" before it knows whether an upload can be completed.
    const bool may_be_error = call.method == "POST" && !answer.body.empty();
    if (answer.is_success() && !(may_be_error && !error_of(answer).code.empty())) return answer;
    // What has arrived is not lost: its reader goes on behind it.
    if (call.into && answer.status >= 200 && answer.status < 300 && answer.body_size_bytes > 0) {
      return answer;
    }
    const Verdict verdict = judge_whole(call, answer, state);
    if (verdict == Verdict::fail) fail(call, answer);
    if (verdict == Verdict::try_at_once) continue;
    log::debug(kClientComponent, "{} {}: attempt {} of {} has failed: HTTP status {} {}",
               call.operation, url_.text(call.key), state.number, max_attempts_, answer.status,
               answer.failure_text);
    pause(state.number, answer, call.on_interrupt);
    ++state.number;
  }
}

std::optional<std::string> StoreClient::find_unreachable() const {
  if (!options_.connect_limit) return std::nullopt;
  const std::lock_guard lock(mutex_);
  return unreachable_;
}

void StoreClient::note_unreachable(const HttpAnswer& answer) {
  const std::lock_guard lock(mutex_);
  unreachable_ = answer.failure_text;
}

bool StoreClient::tells_missing_bucket(const HttpAnswer& answer) const {
  return answer.status == 404 && is_missing_bucket(error_code(answer));
}

StoreClient::Verdict StoreClient::judge_whole(const StoreCall& call, const HttpAnswer& answer,
                                              Attempts& state) {
  const bool is_cleaning = call.on_interrupt == HttpRequest::OnInterrupt::go_on;
  const bool has_more =
      state.number < (is_cleaning ? std::min(kCleanUpAttempts, max_attempts_) : max_attempts_);
  const Verdict later = has_more ? Verdict::try_again : Verdict::fail;
  if (answer.failure == HttpFailure::unusable) return Verdict::fail;
  if (!answer.is_whole()) return later;
  const ProviderError error = error_of(answer);
  if (contains(kPassingCodes, error.code) || contains(kPassingStatuses, answer.status)) {
    return later;
  }
  return judge(call, answer, error, state);
}

void StoreClient::pause(unsigned attempt, const HttpAnswer& answer,
                        HttpRequest::OnInterrupt on_interrupt) const {
  using Milliseconds = std::chrono::duration<double, std::milli>;
  const auto factor = static_cast<double>(std::uint64_t{1} << std::min(attempt - 1, 20U));
  const Milliseconds longest =
      std::min(Milliseconds(options_.first_retry_pause) * factor, Milliseconds(kLongestPause));
  auto time = std::chrono::duration_cast<std::chrono::milliseconds>(longest * random_share());
  if (const auto seconds = parse_integer(answer.header("retry-after")); seconds && *seconds > 0) {
    time = std::max(
        time, std::chrono::milliseconds(std::min(*seconds, kLongestRetryAfterSeconds) * 1000));
  }
  if (on_interrupt == HttpRequest::OnInterrupt::go_on) {
    sleep_unless_interrupted(static_cast<int>(time.count()), options_.interrupt);
  } else {
    pause_before_retry(time, options_.interrupt);
  }
}

void StoreClient::fail(const StoreCall& call, const HttpAnswer& answer) const {
  const std::string object = fmt::format("\"{}\"", url_.text(call.key));
  if (!answer.is_whole()) {
    throw Error(ErrorKind::connection,
                visible_text(fmt::format(
                    "{} {}: {} \"{}\": {} ({})", call.action, object,
                    answer.failure == HttpFailure::cut ? "no whole answer of" : "cannot reach",
                    place(), answer.failure_text, call.operation)),
                answer.failure == HttpFailure::unusable
                    ? authority_hint()
                    : "Look at the endpoint, the network and the proxy.");
  }
  ProviderError error = error_of(answer);
  StoreError::Answer told{.http_status = answer.status,
                          .code = std::move(error.code),
                          .message = std::move(error.message),
                          .request_id = std::move(error.request_id)};
  std::string reason = told.code;
  if (!told.message.empty()) {
    reason += (reason.empty() ? "" : ": ") + told.message.substr(0, kMaxToldMessage);
  }
  std::string details = fmt::format("{}, HTTP status {}", call.operation, answer.status);
  if (!told.request_id.empty()) details += ", request " + told.request_id;
  std::string hint = hint_for(call, told);
  // Not as if the object were missing: nothing can be told about it.
  const ErrorKind kind =
      is_missing_bucket(told.code) ? ErrorKind::config : kind_of_status(answer.status);
  throw StoreError(kind,
                   visible_text(fmt::format("{} {}: {}{}({})", call.action, object, reason,
                                            reason.empty() ? "" : " ", details)),
                   std::move(hint), std::move(told));
}

}  // namespace barman::object_store
