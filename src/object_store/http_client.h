// HTTP/1.1 over libcurl: one request, one attempt. Connections are kept, and shared by threads
// through a pool of handles, of which each request takes one. Redirects are not followed, because
// signatures hold for one host; trying again is the caller's, who signs again.
//
// Proxies as the environment says (http_proxy, HTTP_PROXY, https_proxy, HTTPS_PROXY, no_proxy).
// Certificates are checked, against the system's authorities or HttpSettings::ca_file.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "base/interrupt.h"
#include "base/throttle.h"

namespace barman::object_store {

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

struct HttpRequest {
  enum class OnInterrupt { give_up, go_on };
  enum class Route { as_environment_says, direct };

  std::string method = "GET";
  std::string url;
  HttpHeaders headers = {};
  // Belongs to the caller until send() returns.
  Bytes body = {};
  // Where the body of an answer 2xx goes; without it, and for other answers, HttpAnswer::body.
  std::optional<MutableBytes> into = {};
  // Of the whole transfer; 0 = none.
  std::chrono::milliseconds time_limit{0};
  OnInterrupt on_interrupt = OnInterrupt::give_up;
  Route route = Route::as_environment_says;
};

enum class HttpFailure {
  none,
  // Nothing was sent: the name is unknown, nobody listens.
  cannot_connect,
  // The connection broke, or nothing came for too long.
  cut,
  // What came is no answer that can be used, and would be none the next time: a certificate.
  unusable,
};

struct HttpAnswer {
  int status = 0;  // 0 when none came
  // By their names in lower case.
  std::map<std::string, std::string> headers;
  std::string body;
  // Of the body, wherever it went.
  std::uint64_t body_size_bytes = 0;
  HttpFailure failure = HttpFailure::none;
  std::string failure_text;

  bool is_whole() const { return failure == HttpFailure::none; }
  bool is_success() const { return is_whole() && status >= 200 && status < 300; }
  // "" when it is missing.
  std::string header(const std::string& lower_case_name) const;
};

inline constexpr std::chrono::milliseconds kConnectTimeout = std::chrono::seconds(60);

struct HttpSettings {
  std::chrono::milliseconds connect_timeout = kConnectTimeout;
  // Without a byte in either direction; of an answer without a few hundred bytes a second. One that
  // is kept in memory must be whole within ten times as long.
  std::chrono::seconds read_timeout{60};
  std::string ca_file;
  // For http:// when only HTTP_PROXY is set, which libcurl does not look at.
  std::string http_proxy;
  std::uint64_t max_bytes_per_second = 0;
  Interrupt interrupt;
};

// Begins to load libcurl, by a thread of its own: a program that will ask a bucket calls it first,
// and prepares its request meanwhile. What goes wrong is told by the first request.
void load_http_ahead();

class HttpClient {
 public:
  explicit HttpClient(HttpSettings settings);
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;
  ~HttpClient();

  // Throws `interrupted`, and `config` when libcurl is not there; whatever else happens is told in
  // the answer.
  HttpAnswer send(const HttpRequest& request) const;

  const HttpSettings& settings() const { return settings_; }

 private:
  class Handles;
  const HttpSettings settings_;
  const std::unique_ptr<Handles> handles_;
  const std::unique_ptr<Throttle> throttle_;
};

}  // namespace barman::object_store
