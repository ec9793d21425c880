// The format is described in docs/formats/backup_manifest.md.
#include <fmt/format.h>

#include <array>
#include <utility>

#include "base/error.h"
#include "base/text.h"
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

// The number of bytes of the UTF-8 character at the beginning of `text`, 0 when there is none.
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  std::size_t length = 0;
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) length = 2;
  if (lead >= 0xE0 && lead <= 0xEF) length = 3;
  if (lead >= 0xF0 && lead <= 0xF4) length = 4;
  if (length == 0 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  // Overlong forms, surrogates, and what lies beyond U+10FFFF.
  const bool is_invalid = (lead == 0xE0 && byte(1) < 0xA0) || (lead == 0xED && byte(1) > 0x9F) ||
                          (lead == 0xF0 && byte(1) < 0x90) || (lead == 0xF4 && byte(1) > 0x8F);
  return is_invalid ? 0 : length;
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string json_escape(std::string_view text) {
  std::string escaped;
  escaped.reserve(text.size());
  for (const char c : text) {
    constexpr std::string_view kFrom = "\"\\\b\f\n\r\t";
    constexpr std::string_view kTo = "\"\\bfnrt";
    const std::size_t index = kFrom.find(c);
    if (index != std::string_view::npos) {
      escaped.push_back('\\');
      escaped.push_back(kTo[index]);
    } else if (static_cast<unsigned char>(c) < 0x20) {
      escaped += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
    } else {
      escaped.push_back(c);
    }
  }
  return escaped;
}

std::string path_member(const std::string& path) {
  if (is_utf8(path)) return fmt::format("\"Path\": \"{}\"", json_escape(path));
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
  std::string line =
      fmt::format("{}{{ {}, \"Size\": {}, \"Last-Modified\": \"{}\"", first_ ? "\n" : ",\n",
                  path_member(file.path), file.size_bytes, json_escape(file.last_modified));
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
