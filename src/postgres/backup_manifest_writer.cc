// The format is described in docs/formats/backup_manifest.md.
#include <fmt/format.h>

#include <array>
#include <utility>

#include "base/error.h"
#include "base/json_text.h"
#include "base/text.h"
#include "base/utf8.h"
#include "postgres/backup_manifest.h"

namespace barman::postgres {
namespace {

constexpr std::array<std::pair<DigestAlgorithm, std::string_view>, 6> kAlgorithms = {{
    {DigestAlgorithm::none, "NONE"},
    {DigestAlgorithm::crc32c, "CRC32C"},
    {DigestAlgorithm::sha224, "SHA224"},
    {DigestAlgorithm::sha256, "SHA256"},
    {DigestAlgorithm::sha384, "SHA384"},
    {DigestAlgorithm::sha512, "SHA512"},
}};

std::string path_member(const std::string& path) {
  if (is_utf8(path)) return "\"Path\": " + json_string(path, JsonCharacters::utf8);
  std::string hex;
  for (const char c : path) hex += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return fmt::format("\"Encoded-Path\": \"{}\"", hex);
}

}  // namespace

std::string_view manifest_algorithm_name(DigestAlgorithm algorithm) {
  for (const auto& [known, name] : kAlgorithms) {
    if (known == algorithm) return name;
  }
  throw Error(ErrorKind::internal, "checksum algorithm not known to backup manifests");
}

std::optional<DigestAlgorithm> parse_manifest_algorithm(std::string_view name) {
  const std::string upper = to_upper(name);
  for (const auto& [algorithm, known] : kAlgorithms) {
    if (known == upper) return algorithm;
  }
  return std::nullopt;
}

ManifestWriter::ManifestWriter(Write write, std::optional<SystemId> system_id)
    : write_(std::move(write)), digest_(DigestAlgorithm::sha256) {
  if (system_id) {
    put(fmt::format("{{ \"PostgreSQL-Backup-Manifest-Version\": 2,\n\"System-Identifier\": {},\n",
                    system_id->value));
  } else {
    put("{ \"PostgreSQL-Backup-Manifest-Version\": 1,\n");
  }
  put("\"Files\": [");
}

void ManifestWriter::put(std::string_view text) {
  digest_.update(as_bytes(text));
  write_(text);
}

void ManifestWriter::add_file(const ManifestFile& file) {
  std::string line = fmt::format("{}{{ {}, \"Size\": {}, \"Last-Modified\": {}",
                                 first_ ? "\n" : ",\n", path_member(file.path), file.size_bytes,
                                 json_string(file.last_modified, JsonCharacters::utf8));
  if (file.algorithm != DigestAlgorithm::none) {
    line += fmt::format(", \"Checksum-Algorithm\": \"{}\", \"Checksum\": \"{}\"",
                        manifest_algorithm_name(file.algorithm), file.checksum);
  }
  put(line + " }");
  first_ = false;
}

void ManifestWriter::end_files() {
  put("\n],\n\"WAL-Ranges\": [\n");
  part_ = Part::wal_ranges;
  first_ = true;
}

void ManifestWriter::add_wal_range(const ManifestWalRange& range) {
  if (part_ == Part::files) end_files();
  put(fmt::format("{}{{ \"Timeline\": {}, \"Start-LSN\": \"{}\", \"End-LSN\": \"{}\" }}",
                  first_ ? "" : ",\n", range.timeline.value, wal::format_lsn(range.start),
                  wal::format_lsn(range.end)));
  first_ = false;
}

void ManifestWriter::finish() {
  if (part_ == Part::files) end_files();
  put(first_ ? "],\n" : "\n],\n");
  write_(fmt::format("\"Manifest-Checksum\": \"{}\"}}\n", digest_.finish()));
}

}  // namespace barman::postgres
