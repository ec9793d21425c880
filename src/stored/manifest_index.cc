#include "stored/manifest_index.h"

#include <algorithm>

#include "base/hex.h"
#include "base/text.h"
#include "pipeline/relative_path.h"
#include "postgres/backup_manifest.h"

namespace barman::stored {
namespace {

class UnseenVisitor final : public postgres::ManifestVisitor {
 public:
  explicit UnseenVisitor(std::function<void(const std::string&)> on_path)
      : on_path_(std::move(on_path)) {}
  void on_version(int) override {}
  void on_system_id(postgres::SystemId) override {}
  void on_file(const postgres::ManifestFile& file) override { on_path_(file.path); }
  void on_wal_range(const postgres::ManifestWalRange&) override {}

 private:
  std::function<void(const std::string&)> on_path_;
};

}  // namespace

class ManifestIndex::Collector final : public postgres::ManifestVisitor {
 public:
  explicit Collector(ManifestIndex& index) : index_(index) {}
  void on_version(int) override {}
  void on_system_id(postgres::SystemId system_id) override { index_.facts_.system_id = system_id; }
  void on_file(const postgres::ManifestFile& file) override {
    const std::string checksum = bytes_of_hex(file.checksum);
    index_.records_.add(file.path,
                        {.size_bytes = file.size_bytes,
                         .checksum_offset = static_cast<std::uint32_t>(index_.checksums_.size()),
                         .checksum_size = static_cast<std::uint8_t>(checksum.size()),
                         .algorithm = file.algorithm});
    index_.checksums_ += checksum;
    note_tablespace(file.path);
  }
  void on_wal_range(const postgres::ManifestWalRange& range) override {
    index_.facts_.wal_ranges.push_back(range);
  }

 private:
  void note_tablespace(std::string_view path) {
    if (!path.starts_with(pipeline::kTablespaceLinks)) return;
    path.remove_prefix(pipeline::kTablespaceLinks.size());
    const auto oid = parse_integer(path.substr(0, path.find('/')));
    if (oid) index_.facts_.tablespaces.insert(static_cast<std::uint32_t>(*oid));
  }

  ManifestIndex& index_;
};

std::optional<ManifestIndex> ManifestIndex::load(const std::filesystem::path& path) {
  if (!find_file(path)) return std::nullopt;
  ManifestIndex index;
  index.path_ = path;
  Collector collector(index);
  postgres::parse_backup_manifest_file(path, collector);
  index.records_.seal();
  return index;
}

std::optional<ExpectedFile> ManifestIndex::find(std::string_view path) const {
  const Record* const record = records_.find(path);
  if (record == nullptr) return std::nullopt;
  return ExpectedFile{
      .size_bytes = record->size_bytes,
      .algorithm = record->algorithm,
      .checksum = hex_of(
          std::string_view(checksums_).substr(record->checksum_offset, record->checksum_size))};
}

std::uint64_t ManifestIndex::total_bytes() const {
  std::uint64_t total = 0;
  for (const auto& row : records_.rows()) total += row.value.size_bytes;
  return total;
}

void ManifestIndex::mark_seen(std::string_view path) {
  if (Record* const record = records_.find(path)) record->is_seen = true;
}

std::vector<std::string> ManifestIndex::list_unseen(
    const std::function<bool(std::string_view)>& is_wanted, std::size_t limit) const {
  std::vector<std::string> unseen;
  const bool all_seen =
      std::ranges::all_of(records_.rows(), [](const auto& row) { return row.value.is_seen; });
  if (all_seen) return unseen;
  UnseenVisitor visitor([&](const std::string& path) {
    const Record* const record = records_.find(path);
    if (unseen.size() < limit && record != nullptr && !record->is_seen && is_wanted(path)) {
      unseen.push_back(path);
    }
  });
  postgres::parse_backup_manifest_file(path_, visitor);
  return unseen;
}

}  // namespace barman::stored
