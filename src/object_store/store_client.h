// Requests to one bucket, of whatever provider: sent, tried again where that may help, and told as
// errors when it did not. How a request is signed, what an answer means and what else may help is
// the provider's: S3Client and its siblings.
#pragma once

#include <chrono>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "object_store/aws_signature.h"
#include "object_store/http_client.h"
#include "object_store/object_store.h"

namespace barman::object_store {

struct StoreCall {
  std::string_view operation;  // as the provider calls it: "PutObject"
  std::string_view action;     // for messages: "cannot store"
  std::string method = "GET";
  // Below the prefix of the store; "" = the bucket.
  std::string key = {};
  QueryParameters query = {};
  HttpHeaders headers = {};
  // Belongs to the caller until send() returns.
  Bytes body = {};
  std::optional<MutableBytes> into = {};
  // Answers besides 2xx that are the caller's to understand.
  std::vector<int> expected = {};
  HttpRequest::OnInterrupt on_interrupt = HttpRequest::OnInterrupt::give_up;
};

// What an answer says about an error; empty for what it does not say.
struct ProviderError {
  std::string code;
  std::string message;
  std::string request_id;
};

class StoreClient {
 public:
  virtual ~StoreClient() = default;
  StoreClient(const StoreClient&) = delete;
  StoreClient& operator=(const StoreClient&) = delete;

  // An answer 2xx or one of those expected; with StoreCall::into also one that was cut after a
  // part of its body had arrived. Throws StoreError, `connection`, `config`, `interrupted`.
  HttpAnswer send(const StoreCall& call);
  // The provider's word for what was wrong, "" when it has told none.
  std::string error_code(const HttpAnswer& answer) const { return error_of(answer).code; }
  // The bucket itself is missing, not only an object in it.
  bool tells_missing_bucket(const HttpAnswer& answer) const;
  // Throws the error of an answer.
  [[noreturn]] void fail(const StoreCall& call, const HttpAnswer& answer) const;
  // Pauses as after attempt number `attempt`.
  void pause(unsigned attempt, const HttpAnswer& answer,
             HttpRequest::OnInterrupt on_interrupt) const;

  // The whole key in the bucket.
  std::string full_key(std::string_view key) const;
  const StoreUrl& url() const { return url_; }
  const StoreOptions& options() const { return options_; }
  unsigned max_attempts() const { return max_attempts_; }

 protected:
  enum class Verdict { fail, try_again, try_at_once };
  // What has been done about one call.
  struct Attempts {
    unsigned number = 1;
    unsigned redirects = 0;
    bool has_new_keys = false;
    bool has_new_clock = false;
    std::string host;  // of a redirect for this request only
    // Of the body, as the provider wants them.
    std::string md5;
    std::string payload_hash;
  };

  StoreClient(const StoreUrl& url, const StoreOptions& options, HttpSettings http,
              unsigned max_attempts);

  // Computes what is needed of the body, once for all attempts.
  virtual void begin(const StoreCall& call, Attempts& state) const = 0;
  virtual HttpRequest prepare(const StoreCall& call, const Attempts& state) = 0;
  virtual ProviderError error_of(const HttpAnswer& answer) const = 0;
  // What helps against an error that does not pass by itself; `fail` when nothing does.
  virtual Verdict judge(const StoreCall& call, const HttpAnswer& answer, const ProviderError& error,
                        Attempts& state) = 0;
  // The next step for the user, "" when there is none.
  virtual std::string hint_for(const StoreCall& call, const StoreError::Answer& answer) const = 0;
  // "https://host"
  virtual std::string place() const = 0;
  // How users name the authorities that they trust.
  virtual std::string authority_hint() const = 0;

  const HttpClient& http() const { return http_; }

 private:
  // With StoreOptions::connect_limit: what was told when the provider could not be reached.
  std::optional<std::string> find_unreachable() const;
  void note_unreachable(const HttpAnswer& answer);

  Verdict judge_whole(const StoreCall& call, const HttpAnswer& answer, Attempts& state);

  const StoreUrl url_;
  const StoreOptions options_;
  const unsigned max_attempts_;
  const HttpClient http_;
  mutable std::mutex mutex_;
  std::optional<std::string> unreachable_;
};

}  // namespace barman::object_store
