#include "object_store/http_client.h"

#include <curl/curl.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <mutex>
#include <string_view>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/text.h"
#include "base/worker_pool.h"

namespace barman::object_store {
namespace {

// What is kept of a body that goes into memory: listings are the largest, of 1,000 names.
constexpr std::size_t kMaxBodySize = std::size_t{32} << 20;
constexpr long kBufferSize = 256L << 10;
// Of an answer, bytes a second: what comes more slowly is no store, but something that is broken.
constexpr long kSlowestAnswer = 256;
// A multiple of the read timeout.
constexpr int kAnswerTimeouts = 10;

struct CurlDeleter {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};
using CurlHandle = std::unique_ptr<CURL, CurlDeleter>;

struct HeaderListDeleter {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using HeaderList = std::unique_ptr<curl_slist, HeaderListDeleter>;

HeaderList make_header_list(const HttpRequest& request) {
  HeaderList list;
  const auto append = [&](const std::string& line) {
    curl_slist* const longer = curl_slist_append(list.get(), line.c_str());
    if (longer == nullptr) throw Error(ErrorKind::internal, "no memory for the headers of HTTP");
    // The first one makes the list, all others are appended to it.
    if (list == nullptr) list.reset(longer);
  };
  for (const auto& [name, value] : request.headers) {
    // It would become another header, or another request.
    if (value.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos) {
      throw Error(ErrorKind::config,
                  fmt::format("the value of \"{}\" for the object store has a line break", name));
    }
    append(value.empty() ? name + ";" : name + ": " + value);
  }
  // Waiting for permission takes a round trip a request, and a second where it is not answered.
  append("Expect:");
  return list;
}

// One request while it is on its way. The functions that libcurl calls let no exception through C.
struct HttpTransfer {
  CURL* curl;
  const HttpRequest& request;
  const HttpSettings& settings;
  Throttle* throttle;
  HttpAnswer answer = {};
  std::size_t sent_size = 0;
  bool is_interrupted = false;
  bool is_too_slow = false;
  // When all of the request had been sent.
  std::optional<std::chrono::steady_clock::time_point> sent_at = {};

  static std::size_t read(char* buffer, std::size_t size, std::size_t count, void* self) {
    auto& transfer = *static_cast<HttpTransfer*>(self);
    const Bytes rest = transfer.request.body.subspan(transfer.sent_size);
    const std::size_t taken = std::min(size * count, rest.size());
    try {
      if (transfer.throttle != nullptr) {
        transfer.throttle->take(taken, transfer.settings.interrupt);
      }
    } catch (const std::exception&) {
      transfer.is_interrupted = transfer.settings.interrupt.is_requested();
      return CURL_READFUNC_ABORT;
    }
    std::copy_n(as_text(rest).data(), taken, buffer);
    transfer.sent_size += taken;
    return taken;
  }

  static int seek(void* self, curl_off_t offset, int origin) {
    auto& transfer = *static_cast<HttpTransfer*>(self);
    const auto position = static_cast<std::size_t>(offset);
    if (origin != SEEK_SET || position > transfer.request.body.size()) return CURL_SEEKFUNC_FAIL;
    transfer.sent_size = position;
    return CURL_SEEKFUNC_OK;
  }

  static std::size_t write(char* data, std::size_t size, std::size_t count, void* self) {
    auto& transfer = *static_cast<HttpTransfer*>(self);
    try {
      return transfer.take_body({data, size * count}) ? size * count : 0;
    } catch (const std::exception&) {
      return 0;
    }
  }

  static std::size_t header(char* data, std::size_t size, std::size_t count, void* self) {
    auto& transfer = *static_cast<HttpTransfer*>(self);
    try {
      transfer.take_header({data, size * count});
    } catch (const std::exception&) {
      return 0;
    }
    return size * count;
  }

  static int progress(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    auto& transfer = *static_cast<HttpTransfer*>(self);
    if (transfer.request.on_interrupt == HttpRequest::OnInterrupt::give_up &&
        transfer.settings.interrupt.is_requested()) {
      transfer.is_interrupted = true;
    }
    transfer.look_at_clock();
    return transfer.is_interrupted || transfer.is_too_slow ? 1 : 0;
  }

  // Who keeps the connection alive with a byte now and then has not answered either.
  std::chrono::seconds answer_limit() const { return kAnswerTimeouts * settings.read_timeout; }
  void look_at_clock() {
    if (request.into || sent_size < request.body.size()) return;
    const auto now = std::chrono::steady_clock::now();
    if (!sent_at) sent_at = now;
    is_too_slow = now - *sent_at > answer_limit();
  }

  bool take_body(std::string_view data) {
    const std::size_t before = static_cast<std::size_t>(answer.body_size_bytes);
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    if (request.into && status >= 200 && status < 300) {
      if (data.size() > request.into->size() - before) return false;
      // Not std::ranges::copy, which goes byte by byte from constant bytes in g++ 12.
      std::copy_n(as_bytes(data).data(), data.size(), request.into->data() + before);
    } else {
      if (data.size() > kMaxBodySize - answer.body.size()) return false;
      answer.body += data;
    }
    answer.body_size_bytes += data.size();
    return true;
  }

  void take_header(std::string_view line) {
    // A new answer begins, after "100 Continue" for example.
    if (line.starts_with("HTTP/")) answer.headers.clear();
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return;
    answer.headers[to_lower(strip(line.substr(0, colon)))] = strip(line.substr(colon + 1));
  }
};

void set_request(HttpTransfer& transfer, curl_slist* headers) {
  CURL* const curl = transfer.curl;
  const HttpRequest& request = transfer.request;
  curl_easy_setopt(curl, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
  if (request.method == "HEAD") {
    curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
  } else if (request.method == "PUT" || request.method == "POST" || !request.body.empty()) {
    curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    curl_easy_setopt(curl, CURLOPT_READFUNCTION, &HttpTransfer::read);
    curl_easy_setopt(curl, CURLOPT_READDATA, static_cast<void*>(&transfer));
    curl_easy_setopt(curl, CURLOPT_SEEKFUNCTION, &HttpTransfer::seek);
    curl_easy_setopt(curl, CURLOPT_SEEKDATA, static_cast<void*>(&transfer));
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  } else {
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  }
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &HttpTransfer::write);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, static_cast<void*>(&transfer));
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, &HttpTransfer::header);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, static_cast<void*>(&transfer));
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, &HttpTransfer::progress);
  curl_easy_setopt(curl, CURLOPT_XFERINFODATA, static_cast<void*>(&transfer));
  if (request.time_limit.count() > 0) {
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(request.time_limit.count()));
  }
}

void set_connection(const HttpTransfer& transfer) {
  CURL* const curl = transfer.curl;
  const HttpSettings& settings = transfer.settings;
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(curl, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS,
                   static_cast<long>(settings.connect_timeout.count()));
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT,
                   transfer.request.body.empty() ? kSlowestAnswer : 1L);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, static_cast<long>(settings.read_timeout.count()));
  curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, kBufferSize);
  curl_easy_setopt(curl, CURLOPT_UPLOAD_BUFFERSIZE, kBufferSize);
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "barman");
  if (!settings.ca_file.empty()) {
    curl_easy_setopt(curl, CURLOPT_CAINFO, settings.ca_file.c_str());
  }
  if (transfer.request.route == HttpRequest::Route::direct) {
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
  } else if (!settings.http_proxy.empty() && transfer.request.url.starts_with("http://")) {
    curl_easy_setopt(curl, CURLOPT_PROXY, settings.http_proxy.c_str());
  }
}

void require_curl() {
  static std::once_flag is_initialised;
  std::call_once(is_initialised, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
}

HttpFailure failure_of(CURLcode code) {
  switch (code) {
    case CURLE_OK:
      return HttpFailure::none;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
      return HttpFailure::cannot_connect;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_UNKNOWN_OPTION:
      return HttpFailure::unusable;
    default:
      return HttpFailure::cut;
  }
}

}  // namespace

std::string HttpAnswer::header(const std::string& lower_case_name) const {
  const auto found = headers.find(lower_case_name);
  return found == headers.end() ? std::string() : found->second;
}

void load_http_ahead() {
  // A program that makes no request ends before the thread does. OpenSSL would clean up then, since
  // its handler of exit() is younger than the thread's, and the thread would use what is gone.
  ::OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, nullptr);
  // Its signals are the business of others.
  sigset_t all;
  sigset_t usual;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &usual);
  // Joined when the program ends, before libcurl goes.
  static const std::jthread loader = start_thread([] {
    // The boundary of a worker: the first request fails for the same reason, and tells it.
    try {
      require_curl();
    } catch (const std::exception&) {
      return;
    }
  });
  ::pthread_sigmask(SIG_SETMASK, &usual, nullptr);
}

class HttpClient::Handles {
 public:
  CurlHandle take() {
    require_curl();
    {
      const std::lock_guard lock(mutex_);
      if (!idle_.empty()) {
        CurlHandle handle = std::move(idle_.back());
        idle_.pop_back();
        return handle;
      }
    }
    CurlHandle handle(curl_easy_init());
    if (handle == nullptr) throw Error(ErrorKind::internal, "libcurl has no memory");
    return handle;
  }
  void put_back(CurlHandle handle) {
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(handle));
  }

 private:
  std::mutex mutex_;
  std::vector<CurlHandle> idle_;
};

HttpClient::HttpClient(HttpSettings settings)
    : settings_(std::move(settings)),
      handles_(std::make_unique<Handles>()),
      throttle_(settings_.max_bytes_per_second == 0
                    ? nullptr
                    : std::make_unique<Throttle>(TransferLimit{
                          std::max<std::uint64_t>(settings_.max_bytes_per_second / 1024, 1)})) {}

HttpClient::~HttpClient() = default;

HttpAnswer HttpClient::send(const HttpRequest& request) const {
  if (request.on_interrupt == HttpRequest::OnInterrupt::give_up) {
    settings_.interrupt.throw_if_requested();
  }
  CurlHandle handle = handles_->take();
  const HeaderList headers = make_header_list(request);
  HttpTransfer transfer{
      .curl = handle.get(), .request = request, .settings = settings_, .throttle = throttle_.get()};
  std::array<char, CURL_ERROR_SIZE> text{};
  // Keeps connections and what is known of names and sessions.
  curl_easy_reset(handle.get());
  curl_easy_setopt(handle.get(), CURLOPT_ERRORBUFFER, text.data());
  set_connection(transfer);
  set_request(transfer, headers.get());
  const CURLcode code = curl_easy_perform(handle.get());
  long status = 0;
  curl_easy_getinfo(handle.get(), CURLINFO_RESPONSE_CODE, &status);
  // The headers and this frame are gone soon.
  curl_easy_reset(handle.get());
  handles_->put_back(std::move(handle));
  if (transfer.is_interrupted) settings_.interrupt.throw_if_requested();
  transfer.answer.status = static_cast<int>(status);
  transfer.answer.failure = failure_of(code);
  if (code != CURLE_OK) {
    transfer.answer.failure_text = text[0] != '\0' ? text.data() : curl_easy_strerror(code);
    // libcurl's words for it are of speeds, which nobody has asked about.
    if (std::string_view(text.data()).starts_with("Operation too slow")) {
      transfer.answer.failure_text =
          fmt::format("nothing, or hardly anything, came for {} s", settings_.read_timeout.count());
    }
    if (transfer.is_too_slow) {
      transfer.answer.failure_text =
          fmt::format("the answer was not whole after {} s", transfer.answer_limit().count());
    }
  }
  return std::move(transfer.answer);
}

}  // namespace barman::object_store
