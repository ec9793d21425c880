#include "copy/combined_manifest.h"

#include <algorithm>
#include <functional>
#include <optional>

#include <fmt/format.h>

#include "base/digest.h"
#include "base/error.h"
#include "pipeline/file_sink.h"
#include "postgres/backup_manifest.h"
#include "stored/incremental_file.h"

namespace barman::copy {

class CombinedManifest::Rewriter final : public postgres::ManifestVisitor {
 public:
  Rewriter(const CombinedManifest& written, pipeline::Sink& target)
      : written_(written), target_(target) {}

  void on_version(int) override {}
  void on_system_id(postgres::SystemId system_id) override { system_id_ = system_id; }
  void on_file(const postgres::ManifestFile& file) override {
    // A user's file may have such a name elsewhere.
    const std::optional<std::string> complete =
        stored::holds_relations("", file.path) ? stored::complete_name(file.path) : std::nullopt;
    const std::string& path = complete ? *complete : file.path;
    const Written* const found = written_.files_.find(path);
    if (complete && found == nullptr) {
      throw Error(
          ErrorKind::corrupt,
          fmt::format("\"{}\" is listed in backup_manifest, but was not in the backup", file.path),
          "Choose another backup.");
    }
    if (found == nullptr) return writer().add_file(file);
    writer().add_file({.path = path,
                       .size_bytes = found->size_bytes,
                       .last_modified = file.last_modified,
                       .algorithm = DigestAlgorithm::crc32c,
                       .checksum = crc32c_text(found->crc32c)});
  }
  void on_wal_range(const postgres::ManifestWalRange& range) override {
    writer().add_wal_range(range);
  }
  void finish() { writer().finish(); }

 private:
  // The system id comes before all files.
  postgres::ManifestWriter& writer() {
    if (!writer_) {
      writer_.emplace([this](std::string_view text) { target_.write(as_bytes(text)); }, system_id_);
    }
    return *writer_;
  }

  const CombinedManifest& written_;
  pipeline::Sink& target_;
  std::optional<postgres::SystemId> system_id_;
  std::optional<postgres::ManifestWriter> writer_;
};

void CombinedManifest::add(std::string_view path, std::uint64_t size_bytes, std::uint32_t crc32c) {
  const std::lock_guard lock(mutex_);
  files_.add(path, {size_bytes, crc32c});
}

void CombinedManifest::write(const std::filesystem::path& source,
                             const std::filesystem::path& target) {
  pipeline::FileSink file(target);
  write(source, file);
}

void CombinedManifest::write(const std::filesystem::path& source, pipeline::Sink& target) {
  files_.seal();
  Rewriter rewriter(*this, target);
  postgres::parse_backup_manifest_file(source, rewriter);
  rewriter.finish();
  target.finish();
}

}  // namespace barman::copy
