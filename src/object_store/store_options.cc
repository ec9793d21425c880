#include "object_store/store_options.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"
#include "object_store/wire_text.h"

namespace barman::object_store {
namespace {

constexpr std::size_t kCustomerKeySize = 32;
constexpr std::size_t kMaxKeyFile = std::size_t{4} << 10;

std::string key_file_text(const std::string& path) {
  std::optional<std::string> text;
  // The reason becomes part of Barman's message.
  try {
    text = find_and_read_file(path, kMaxKeyFile, Links::follow);
  } catch (const Error& error) {
    throw Error(ErrorKind::config,
                fmt::format("Could not read SSE-C key file {}: {}", path, error.message()));
  }
  if (!text) throw Error(ErrorKind::config, fmt::format("SSE-C key file not found: {}", path));
  return *text;
}

}  // namespace

std::optional<LockMode> find_lock_mode(std::string_view word) {
  for (const LockMode mode : {LockMode::governance, LockMode::compliance}) {
    if (to_upper(word) == lock_mode_word(mode)) return mode;
  }
  return std::nullopt;
}

std::string_view lock_mode_word(LockMode mode) {
  return mode == LockMode::governance ? "GOVERNANCE" : "COMPLIANCE";
}

void refuse_options_of_s3(const StoreOptions& options) {
  if (options.lock) {
    throw Error(ErrorKind::config, "locks are set on objects of S3 only",
                "Let a retention policy of the bucket lock them.");
  }
  if (options.removes_versions) {
    throw Error(ErrorKind::config, "versions of objects are removed from buckets of S3 only",
                "Let a lifecycle rule of the bucket remove them.");
  }
  if (!options.sse_customer_key.empty()) {
    throw Error(ErrorKind::config, "only S3 encrypts with a key of the customer (SSE-C)",
                "Leave the key out, and use the provider's own encryption.");
  }
}

std::string read_customer_key(const std::string& file_url) {
  constexpr std::string_view kScheme = "file://";
  if (!file_url.starts_with(kScheme)) {
    throw Error(ErrorKind::config,
                "SSE-C customer key must be provided as a file:// URI (e.g. "
                "file:///path/to/key.b64)");
  }
  const std::string path = file_url.substr(kScheme.size());
  if (!path.starts_with('/')) {
    throw Error(ErrorKind::config, fmt::format("SSE-C key file path must be absolute: {}", path));
  }
  auto key = base64_decoded(key_file_text(path));
  if (!key) {
    throw Error(ErrorKind::config,
                fmt::format("SSE-C key file {} does not contain a valid base64-encoded key", path));
  }
  if (key->size() != kCustomerKeySize) {
    throw Error(ErrorKind::config,
                fmt::format("SSE-C key file {} must contain a 256-bit (32-byte) key, got {} bytes",
                            path, key->size()));
  }
  return *key;
}

}  // namespace barman::object_store
