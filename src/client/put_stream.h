// The stream that `barman put-wal` reads: a tar archive of WAL files, followed by the list of their
// checksums.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "base/digest.h"
#include "base/fd.h"
#include "compression/algorithm.h"
#include "pipeline/tar_writer.h"

namespace barman::client {

struct PutOptions {
  DigestAlgorithm checksum = DigestAlgorithm::sha256;  // or md5
  std::optional<compression::Algorithm> algorithm;
  int level = 0;
};

class PutStream {
 public:
  PutStream(const PutOptions& options, pipeline::Sink& output)
      : options_(options), writer_(output) {}

  // One member under the file's name, compressed on the way when the options say so. Returns the
  // SHA-256 of the file as it is. Throws when the file shrinks meanwhile: PostgreSQL does not touch
  // complete segments.
  std::string add(const Fd& file, const std::filesystem::path& path);
  // The list and the end of the archive.
  void finish();

 private:
  void add_content(const Fd& file, const std::filesystem::path& path, const std::string& name,
                   std::int64_t mtime, std::string* plain_sha256);

  PutOptions options_;
  pipeline::TarWriter writer_;
  std::string list_;
};

}  // namespace barman::client
