// What is set for a store besides its URL. Each provider looks at its own fields; those of others
// are ignored.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/interrupt.h"

namespace barman::object_store {

enum class AddressingStyle { automatic, virtual_host, path };
enum class AzureCredential { azure_cli, managed_identity, default_chain };

using ObjectTags = std::vector<std::pair<std::string, std::string>>;

inline constexpr std::uint64_t kDefaultPartSize = std::uint64_t{10} << 20;

// Locked objects are deleted and replaced by nobody before their time; with `governance` by those
// who have a special right. Buckets of S3 only.
enum class LockMode { governance, compliance };
struct ObjectLockRule {
  LockMode mode = LockMode::governance;
  // Counted from when an upload begins, unless UploadOptions::retain_until is set.
  std::int64_t days = 0;
};
// "governance" or "compliance", in any case of letters.
std::optional<LockMode> find_lock_mode(std::string_view word);
// As S3 writes it: "GOVERNANCE".
std::string_view lock_mode_word(LockMode mode);

struct StoreOptions {
  // All providers.
  // Objects that are larger go up in parts of this size. S3 takes no parts below 5 MiB and no more
  // than 10,000: the size is raised to 5 MiB, and grows with the object.
  std::uint64_t part_size_bytes = kDefaultPartSize;
  // Parts of one object that are on their way at once. An upload takes (jobs + 1) parts of memory.
  unsigned jobs = 2;
  // Of all uploads of the store together; 0 = no limit.
  std::uint64_t max_bytes_per_second = 0;
  // Of every object that is created, unless UploadOptions has its own.
  ObjectTags tags;
  // "" = that of the bucket. "STANDARD_IA" (S3), "NEARLINE" (Google), "Cool" (Azure) and the like.
  std::string storage_class;
  // After it, an attempt without a byte is given up. nullopt = 60 s.
  std::optional<std::chrono::seconds> read_timeout;
  // Set: somebody waits for an answer of the program. Who cannot connect within that time, or has
  // heard nothing for longer, gives up, and so do all later requests of the store, at once.
  // nullopt = 60 s, and further attempts.
  std::optional<std::chrono::milliseconds> connect_limit;
  // Attempts of one request in all. nullopt = as the environment or the profile says, else 5.
  std::optional<unsigned> max_attempts;
  // Before the second attempt at most; doubled for each further one, with jitter.
  std::chrono::milliseconds first_retry_pause{400};
  // Ends waits and transfers with `interrupted`; unfinished uploads are aborted even then.
  Interrupt interrupt;
  // The variables of the environment; that of the process when it is empty. For tests.
  std::function<std::optional<std::string>(const std::string& name)> environment;

  // S3.
  std::string endpoint_url;
  std::optional<AddressingStyle> addressing_style;
  std::string profile;           // --aws-profile; "" = AWS_PROFILE or the default one
  std::string region;            // aws_region; "" = the environment or the profile
  std::string encryption;        // "", "AES256" or "aws:kms"
  std::string sse_kms_key_id;    // with "aws:kms"
  std::string sse_customer_key;  // 32 bytes, or "": SSE-C
  // Of objects that are created; a bucket that is created can lock then.
  std::optional<ObjectLockRule> lock;
  // What is removed is removed in all its versions, where the bucket keeps them. Else it is hidden
  // behind a mark, and the bucket's own rules remove it.
  bool removes_versions = false;

  // Azure.
  std::optional<AzureCredential> azure_credential;
  std::string encryption_scope;
  std::uint64_t max_block_size_bytes = std::uint64_t{4} << 20;
  std::uint64_t max_single_put_size_bytes = std::uint64_t{64} << 20;

  // Google.
  std::string kms_key_name;
};

// Throws `config` for what only S3 has, and whose absence would not be noticed: locks, versions,
// the customer's key.
void refuse_options_of_s3(const StoreOptions& options);

// The 32 bytes of --sse-customer-key: "file:///path" names a file with their base64. Throws
// `config` with what is wrong with it.
std::string read_customer_key(const std::string& file_url);

}  // namespace barman::object_store
