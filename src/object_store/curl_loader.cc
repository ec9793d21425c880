// libcurl, loaded when the first of its functions is called: with all the libraries that it needs
// in turn (Kerberos, LDAP, SSH) loading it takes longer than a short command that asks no bucket.
//
// Each function here has the name and the type of libcurl's own and hands the call on.
#include <curl/curl.h>
#include <dlfcn.h>

#include <cstdarg>
#include <string>

#include "base/error.h"

#undef curl_easy_getinfo
#undef curl_easy_setopt

// The last parameter before "..." is an enumeration, as in libcurl itself: it is passed as it is.
#pragma GCC diagnostic ignored "-Wvarargs"

namespace {

constexpr const char* kCurlLibrary = "libcurl.so.4";

// Its thirty libraries look for their symbols among themselves first: that takes a quarter less
// time. AddressSanitizer cannot have it.
#if defined(__SANITIZE_ADDRESS__)
constexpr int kBinding = 0;
#elif defined(__has_feature)
constexpr int kBinding = __has_feature(address_sanitizer) ? 0 : RTLD_DEEPBIND;
#else
constexpr int kBinding = RTLD_DEEPBIND;
#endif

void* find_curl_symbol(const char* name) {
  static void* const library = ::dlopen(kCurlLibrary, RTLD_LAZY | RTLD_LOCAL | kBinding);
  void* const symbol = library != nullptr ? ::dlsym(library, name) : nullptr;
  if (symbol == nullptr) {
    const char* const reason = ::dlerror();
    throw barman::Error(barman::ErrorKind::config,
                        std::string("cannot use ") + kCurlLibrary + ": " +
                            (reason != nullptr ? reason : "unknown reason"),
                        "Install it (package libcurl4).");
  }
  return symbol;
}

// One variable for each function.
template <auto Function>
auto libcurl(const char* name) {
  static const auto function = reinterpret_cast<decltype(Function)>(find_curl_symbol(name));
  return function;
}

}  // namespace

extern "C" {

CURLcode curl_global_init(long flags) {
  return libcurl<&curl_global_init>("curl_global_init")(flags);
}
CURL* curl_easy_init(void) { return libcurl<&curl_easy_init>("curl_easy_init")(); }
void curl_easy_cleanup(CURL* curl) { libcurl<&curl_easy_cleanup>("curl_easy_cleanup")(curl); }
void curl_easy_reset(CURL* curl) { libcurl<&curl_easy_reset>("curl_easy_reset")(curl); }
CURLcode curl_easy_perform(CURL* curl) {
  return libcurl<&curl_easy_perform>("curl_easy_perform")(curl);
}
const char* curl_easy_strerror(CURLcode code) {
  return libcurl<&curl_easy_strerror>("curl_easy_strerror")(code);
}
curl_slist* curl_slist_append(curl_slist* list, const char* data) {
  return libcurl<&curl_slist_append>("curl_slist_append")(list, data);
}
void curl_slist_free_all(curl_slist* list) {
  libcurl<&curl_slist_free_all>("curl_slist_free_all")(list);
}
CURLcode curl_easy_getinfo(CURL* curl, CURLINFO info, ...) {
  std::va_list arguments;
  va_start(arguments, info);
  void* const target = va_arg(arguments, void*);
  va_end(arguments);
  return libcurl<&curl_easy_getinfo>("curl_easy_getinfo")(curl, info, target);
}
// The number of an option tells the type of its value.
CURLcode curl_easy_setopt(CURL* curl, CURLoption option, ...) {
  const auto function = libcurl<&curl_easy_setopt>("curl_easy_setopt");
  std::va_list arguments;
  va_start(arguments, option);
  CURLcode code = CURLE_UNKNOWN_OPTION;
  if (option < CURLOPTTYPE_OBJECTPOINT) {
    code = function(curl, option, va_arg(arguments, long));
  } else if (option < CURLOPTTYPE_OFF_T || option >= CURLOPTTYPE_BLOB) {
    code = function(curl, option, va_arg(arguments, void*));
  } else {
    code = function(curl, option, va_arg(arguments, curl_off_t));
  }
  va_end(arguments);
  return code;
}

}  // extern "C"
