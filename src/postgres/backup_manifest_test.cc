#include "postgres/backup_manifest.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <vector>

#include "base/durable.h"
#include "base/error.h"

namespace barman::postgres {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Lines of a manifest that pg_basebackup 15.20 wrote; its checksum was computed with sha256sum.
constexpr std::string_view kManifest15 = R"m({ "PostgreSQL-Backup-Manifest-Version": 1,
"Files": [
{ "Path": "pg_tblspc/16392/PG_15_202209061/5/16393", "Size": 40960, "Last-Modified": "2026-11-21 05:27:30 GMT", "Checksum-Algorithm": "CRC32C", "Checksum": "f9209858" },
{ "Path": "backup_label", "Size": 225, "Last-Modified": "2026-11-21 05:27:30 GMT", "Checksum-Algorithm": "CRC32C", "Checksum": "dfc8677e" }
],
"WAL-Ranges": [
{ "Timeline": 1, "Start-LSN": "0/2000028", "End-LSN": "0/2000100" }
],
"Manifest-Checksum": "b89f6aea554e504d67295dea2aecacb2db66c6dd92cd86dfccaef89c5f217f28"}
)m";

// As Barman writes it: sorted keys, no WAL ranges, nothing behind the last brace.
constexpr std::string_view kBarmanManifest = R"m({"PostgreSQL-Backup-Manifest-Version": 1,
"Files": [
{"Checksum": "238903180cc104ec2c5d8b3f20c5bc61b389ec0a967df8cc208cdc7cd454174f", "Checksum-Algorithm": "SHA256", "Last-Modified": "2026-11-21 05:27:30", "Path": "PG_VERSION", "Size": 3}
],
"Manifest-Checksum": "e73249bc507f1968faec5abd48aa992a00ee44d75fbd1585997a40d8ca2b152f"})m";

struct Collector final : ManifestVisitor {
  void on_version(int value) override { version = value; }
  void on_system_id(SystemId value) override { system_id = value; }
  void on_file(const ManifestFile& file) override { files.push_back(file); }
  void on_wal_range(const ManifestWalRange& range) override { ranges.push_back(range); }

  int version = 0;
  std::optional<SystemId> system_id;
  std::vector<ManifestFile> files;
  std::vector<ManifestWalRange> ranges;
};

Collector parse(std::string_view text, std::size_t chunk_size = 1 << 20) {
  Collector collector;
  std::size_t offset = 0;
  parse_backup_manifest(
      [&] {
        const std::string_view chunk = text.substr(offset, chunk_size);
        offset += chunk.size();
        return as_bytes(chunk);
      },
      collector);
  return collector;
}

std::string error_of(std::string_view text) {
  try {
    parse(text);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::corrupt);
    return error.message();
  }
  return {};
}

// Text with the right checksum line.
std::string sealed(const std::string& body) {
  return body + "\"Manifest-Checksum\": \"" + digest_of(DigestAlgorithm::sha256, body) + "\"}\n";
}

std::string with_file(const std::string& members) {
  return sealed("{ \"PostgreSQL-Backup-Manifest-Version\": 1,\n\"Files\": [\n{ " + members +
                " }\n],\n");
}

const ManifestFile kTablespaceFile = {"pg_tblspc/16392/PG_15_202209061/5/16393", 40960,
                                      "2026-11-21 05:27:30 GMT", DigestAlgorithm::crc32c,
                                      "f9209858"};
const ManifestFile kLabelFile = {"backup_label", 225, "2026-11-21 05:27:30 GMT",
                                 DigestAlgorithm::crc32c, "dfc8677e"};
const ManifestWalRange kRange = {{1}, {0x2000028}, {0x2000100}};

TEST(BackupManifest, ReadsOneOfPostgres) {
  const Collector manifest = parse(kManifest15);
  EXPECT_EQ(manifest.version, 1);
  EXPECT_FALSE(manifest.system_id);
  EXPECT_THAT(manifest.files, ElementsAre(kTablespaceFile, kLabelFile));
  EXPECT_THAT(manifest.ranges, ElementsAre(kRange));
}

TEST(BackupManifest, DoesNotDependOnTheChunks) {
  for (std::size_t chunk_size = 1; chunk_size <= kManifest15.size(); ++chunk_size) {
    const Collector manifest = parse(kManifest15, chunk_size);
    ASSERT_THAT(manifest.files, ElementsAre(kTablespaceFile, kLabelFile)) << chunk_size;
    ASSERT_THAT(manifest.ranges, ElementsAre(kRange)) << chunk_size;
    parse(kBarmanManifest, chunk_size);
  }
}

TEST(BackupManifest, ReadsOneOfBarman) {
  const Collector manifest = parse(kBarmanManifest);
  ASSERT_EQ(manifest.files.size(), 1U);
  EXPECT_EQ(manifest.files[0].path, "PG_VERSION");
  EXPECT_EQ(manifest.files[0].algorithm, DigestAlgorithm::sha256);
  EXPECT_EQ(manifest.files[0].checksum, digest_of(DigestAlgorithm::sha256, "15\n"));
}

TEST(BackupManifest, NoticesEveryChangedByte) {
  for (std::size_t i = 0; i < kManifest15.size() - 1; ++i) {
    std::string text(kManifest15);
    text[i] = text[i] == '5' ? '6' : '5';
    EXPECT_THROW(parse(text), Error) << i;
  }
}

TEST(BackupManifest, NoticesEveryTruncation) {
  // Without its last newline the content is still complete.
  for (std::size_t size = 0; size + 1 < kManifest15.size(); ++size)
    EXPECT_THROW(parse(kManifest15.substr(0, size)), Error) << size;
}

TEST(BackupManifest, ReadsVersion2WithItsSystemIdentifier) {
  const Collector manifest =
      parse(sealed("{ \"PostgreSQL-Backup-Manifest-Version\": 2,\n"
                   "\"System-Identifier\": 18446744073709551615,\n\"Files\": [\n],\n"
                   "\"WAL-Ranges\": [\n],\n"));
  EXPECT_EQ(manifest.version, 2);
  EXPECT_EQ(manifest.system_id->value, 18446744073709551615U);
}

TEST(BackupManifest, DecodesPaths) {
  const auto path_of = [](const std::string& member) {
    return parse(with_file(member + ", \"Size\": 0")).files.at(0).path;
  };
  EXPECT_EQ(path_of(R"("Path": "a\"\\\/\t\u00e9\u20AC\ud83d\ude00")"),
            "a\"\\/\t\u00e9\u20ac\U0001f600");
  EXPECT_EQ(path_of(R"("Encoded-Path": "62617365ff")"), "base\xff");
}

TEST(BackupManifest, AcceptsFilesWithoutChecksum) {
  const ManifestFile file = parse(with_file(R"("Path": "x", "Size": 1)")).files.at(0);
  EXPECT_EQ(file.algorithm, DigestAlgorithm::none);
  EXPECT_EQ(file.checksum, "");
}

TEST(BackupManifest, RejectsPathsOutsideTheDataDirectory) {
  for (const std::string path : {"../x", "a/../b", "/etc/passwd", "", "a/..", "a\\u0000b"}) {
    EXPECT_THAT(error_of(with_file("\"Path\": \"" + path + "\", \"Size\": 1")),
                HasSubstr("outside the data directory"))
        << path;
  }
  EXPECT_EQ(error_of(with_file(R"("Path": "a..b/..c", "Size": 1)")), "");
}

TEST(BackupManifest, RejectsIncompleteOrWrongFiles) {
  for (const std::string members :
       {R"("Size": 1)", R"("Path": "x")", R"("Path": "x", "Size": "1")",
        R"("Path": "x", "Size": 99999999999999999999)", R"("Path": "x", "Path": "y", "Size": 1)",
        R"("Path": "x", "Size": 1, "Checksum": "00")",
        R"("Path": "x", "Size": 1, "Checksum-Algorithm": "CRC32C")",
        R"("Path": "x", "Size": 1, "Checksum-Algorithm": "CRC32C", "Checksum": "0000000g")",
        R"("Path": "x", "Size": 1, "Checksum-Algorithm": "ROT13", "Checksum": "00")",
        R"("Path": "x", "Size": 1, "Colour": "red")", R"("Path": "\ud83d", "Size": 1)",
        R"("Path": "\ude00", "Size": 1)", R"("Path": "\x", "Size": 1)",
        R"("Encoded-Path": "6", "Size": 1)", R"("Encoded-Path": "6g", "Size": 1)",
        R"("Path": null, "Size": 1)", R"("Path": "x", "Size": -1)", R"("Path": "x",, "Size": 1)",
        R"("Path": {}, "Size": 1)"}) {
    EXPECT_NE(error_of(with_file(members)), "") << members;
  }
}

TEST(BackupManifest, RejectsWhatIsNotAManifest) {
  EXPECT_NE(error_of(""), "");
  EXPECT_NE(error_of("[]"), "");
  EXPECT_NE(error_of("{}"), "");
  EXPECT_NE(error_of(sealed("{ \"Files\": [],\n")), "");
  EXPECT_NE(error_of(sealed("{ \"PostgreSQL-Backup-Manifest-Version\": 3,\n\"Files\": [],\n")), "");
  EXPECT_NE(error_of(std::string(kManifest15) + "{}"), "");
  EXPECT_THAT(error_of(std::string(3 << 20, ' ')), HasSubstr("a line is too long"));
}

TEST(BackupManifest, RejectsFilesThatTheChecksumDoesNotCover) {
  const std::string body = "{ \"PostgreSQL-Backup-Manifest-Version\": 1,\n";
  EXPECT_THAT(error_of(body + R"("Files": [{"Path": "x", "Size": 1}], "Manifest-Checksum": ")" +
                       digest_of(DigestAlgorithm::sha256, body) + "\"}\n"),
              HasSubstr("last line"));
}

TEST(ManifestWriter, WritesWhatPostgresWrites) {
  std::string text;
  ManifestWriter writer([&](std::string_view part) { text += part; }, std::nullopt);
  writer.add_file(kTablespaceFile);
  writer.add_file(kLabelFile);
  writer.add_wal_range(kRange);
  writer.finish();
  EXPECT_EQ(text, kManifest15);
}

TEST(ManifestWriter, WritesWhatTheParserReads) {
  const std::vector<ManifestFile> files = {
      {"base/\"\\\n\x01", 1, "2026-11-21 05:27:30 GMT", DigestAlgorithm::none, ""},
      {"base/\xff\xc0\x80", 18446744073709551615U, "2026-11-21 05:27:30 GMT",
       DigestAlgorithm::sha512, std::string(128, 'a')},
      {"base/\u00e9", 0, "2026-11-21 05:27:30 GMT", DigestAlgorithm::sha224, std::string(56, '0')}};
  std::string text;
  ManifestWriter writer([&](std::string_view part) { text += part; }, SystemId{42});
  for (const ManifestFile& file : files) writer.add_file(file);
  writer.finish();
  const Collector manifest = parse(text, 7);
  EXPECT_EQ(manifest.version, 2);
  EXPECT_EQ(manifest.system_id, SystemId{42});
  EXPECT_EQ(manifest.files, files);
  EXPECT_TRUE(manifest.ranges.empty());
}

TEST(BackupManifest, NamesTheFileInErrors) {
  const std::filesystem::path path =
      std::filesystem::path(testing::TempDir()) / fmt::format("manifest-{}", ::getpid());
  write_file_durably(path, "nonsense");
  Collector collector;
  try {
    parse_backup_manifest_file(path, collector);
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.describe(), HasSubstr(path.string()));
  }
  write_file_durably(path, kManifest15);
  parse_backup_manifest_file(path, collector);
  EXPECT_EQ(collector.files.size(), 2U);
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace barman::postgres
