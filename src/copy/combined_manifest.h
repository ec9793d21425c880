// The backup_manifest of a data directory that was put together from a chain of backups: that of
// the newest one, with the sizes and checksums of the files that were reconstructed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <string_view>

#include "pipeline/sink.h"
#include "stored/path_table.h"

namespace barman::copy {

class CombinedManifest {
 public:
  // A file that was written, by its complete name. Thread-safe; 24 bytes a file.
  void add(std::string_view path, std::uint64_t size_bytes, std::uint32_t crc32c);
  // Durable when it returns. `source` is the manifest of the incremental backup. Throws `corrupt`
  // when an incremental file that it lists was not reconstructed.
  void write(const std::filesystem::path& source, pipeline::Sink& target);
  void write(const std::filesystem::path& source, const std::filesystem::path& target);

 private:
  struct Written {
    std::uint64_t size_bytes = 0;
    std::uint32_t crc32c = 0;
  };
  class Rewriter;

  std::mutex mutex_;
  stored::PathTable<Written> files_;
};

}  // namespace barman::copy
