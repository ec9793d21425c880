// The buckets of one configured server: basebackups_directory and wals_directory that are URLs. The
// one place where settings become a store.
//
// A store is rooted where the objects of the server begin, so that keys are what they are in a
// directory of this host: "20260101T000000/data.tar" below PATH/SRV/base, "0000000100000000/…"
// below PATH/SRV/wals (docs/formats/object_layout.md). Endpoint, addressing style and credentials
// come from the environment and the profile, as Barman's do.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/interrupt.h"
#include "config/server_config.h"
#include "object_store/object_store.h"
#include "object_store/store_options.h"
#include "object_store/store_url.h"

namespace barman::server {

// Notes lie beside the backups, and may be replaced and removed at any time: keeps, and the marks
// of deletions.
enum class ObjectsOf { backups, wal, notes };

// The URL as it is configured, with "SRV/base" or "SRV/wals" behind its path. Throws `config` for a
// URL that no provider knows.
object_store::StoreUrl bucket_url(const config::ServerConfig& config, ObjectsOf what);
// The settings aws_*, azure_* and cloud_*; of backups bandwidth_limit, too, for all uploads of the
// store together. Throws `config` for what does not go together, in Barman's words.
object_store::StoreOptions bucket_options(const config::ServerConfig& config, ObjectsOf what,
                                          const Interrupt& interrupt);

// The stores of one server, each opened when it is asked for first: nobody is asked anything by
// that. Kept, with their connections, as long as this is. For several threads.
class ServerBuckets {
 public:
  ServerBuckets(const config::ServerConfig& config, Interrupt interrupt,
                std::optional<std::chrono::milliseconds> connect_limit = {});

  // nullptr when these lie on this host. Throws `config` as the functions above.
  std::shared_ptr<object_store::ObjectStore> find(ObjectsOf what);

 private:
  const config::ServerConfig config_;
  const Interrupt interrupt_;
  const std::optional<std::chrono::milliseconds> connect_limit_;
  std::mutex mutex_;
  std::shared_ptr<object_store::ObjectStore> backups_;
  std::shared_ptr<object_store::ObjectStore> notes_;
  std::shared_ptr<object_store::ObjectStore> wal_;
};

}  // namespace barman::server
