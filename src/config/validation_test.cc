#include "config/validation.h"

#include <unistd.h>

#include <filesystem>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/durable.h"
#include "base/test_support.h"
#include "config/resolution.h"

namespace barman::config {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

std::optional<std::string> refuse_words(const std::string& conninfo) {
  if (conninfo.find('=') != std::string::npos) return std::nullopt;
  return "missing \"=\"";
}

ServerConfig validate(const std::string& body) {
  IniDocument document;
  document.merge(parse_ini("[b]\n" + body, "x.conf"), "x.conf");
  std::vector<std::string> warnings;
  ServerConfig config = resolve_server(document, "b", "/home", warnings);
  EXPECT_THAT(warnings, IsEmpty());
  validate_server(config, refuse_words);
  EXPECT_EQ(config.disabled, config.active && !config.messages.empty());
  return config;
}

std::vector<std::string> messages(const std::string& body) { return validate(body).messages; }

const std::string kPostgres = "conninfo = a=b\nbackup_method = postgres\narchiver = on\n";
const std::string kRsync = "conninfo = a=b\nssh_command = ssh x\narchiver = on\n";
const std::string kSnapshot =
    "conninfo = a=b\nssh_command = ssh x\narchiver = on\nbackup_method = snapshot\n"
    "snapshot_disks = d\nsnapshot_instance = i\n";
const std::string kCloud =
    kPostgres + "basebackups_directory = s3://b/x\nwals_directory = s3://b/x\n";

TEST(Validation, ConnectionStrings) {
  EXPECT_THAT(messages("archiver = on\nssh_command = x\n"),
              ElementsAre("PostgreSQL connection: Missing 'conninfo' parameter for server 'b'"));
  EXPECT_THAT(messages("archiver = on\nssh_command = x\nconninfo = host\n"),
              ElementsAre("PostgreSQL connection: Cannot connect to postgres: \"host\" is not a "
                          "valid connection string"));
  EXPECT_THAT(messages("archiver = on\nssh_command = x\nconninfo = hunter2\n"),
              ElementsAre(HasSubstr("\"*REDACTED*\" is not")));
  EXPECT_THAT(messages(kPostgres + "streaming_conninfo = host\n"),
              ElementsAre(HasSubstr("Streaming connection: ")));
  EXPECT_THAT(messages(kRsync + "streaming_conninfo = host\n"), IsEmpty());
}

TEST(Validation, Archivers) {
  const ServerConfig forced = validate("conninfo = a=b\nbackup_method = postgres\n");
  EXPECT_TRUE(forced.archiver);
  EXPECT_THAT(forced.warnings,
              ElementsAre("No archiver enabled for server 'b'. Please turn on 'archiver', "
                          "'streaming_archiver' or both",
                          "Forcing 'archiver = on'"));
  EXPECT_THAT(messages("conninfo = a=b\nbackup_method = postgres\nstreaming_archiver = on\n"),
              ElementsAre("Streaming-only archiver requires 'streaming_conninfo' and 'slot_name' "
                          "options to be properly configured"));
  EXPECT_THAT(messages(kPostgres + "streaming_archiver = on\n"), IsEmpty());
}

TEST(Validation, RsyncMethods) {
  EXPECT_THAT(messages("conninfo = a=b\narchiver = on\n"),
              ElementsAre("Missing or invalid ssh_command in barman configuration for server b"));
  EXPECT_THAT(messages(kRsync + "backup_method = local-rsync\n"),
              ElementsAre("Local copy requires ssh_command in barman configuration to be empty for "
                          "server b"));
  EXPECT_THAT(messages(kRsync + "backup_compression = gzip\n"),
              ElementsAre("backup_compression option is not supported by rsync backup_method"));
  EXPECT_THAT(messages(kRsync + "reuse_backup = link\nbandwidth_limit = 5\n"), IsEmpty());
}

TEST(Validation, TellsOfAnIndexOnImmutableStorage) {
  EXPECT_THAT(validate(kPostgres + "worm_mode = on\n").backup_warnings,
              ElementsAre(HasSubstr("Set xlogdb_directory to a directory on ordinary storage.")));
  EXPECT_THAT(validate(kPostgres + "worm_mode = on\nxlogdb_directory = /index\n").backup_warnings,
              IsEmpty());
}

TEST(Validation, BackupStrategy) {
  const ServerConfig rsync = validate(kRsync);
  EXPECT_TRUE(rsync.backup_options.concurrent_backup);
  EXPECT_THAT(
      rsync.backup_warnings,
      ElementsAre("No backup strategy set for server 'b' (using default 'concurrent_backup')."));
  EXPECT_THAT(validate(kRsync + "backup_options = exclusive_backup\n").backup_warnings, IsEmpty());
  const ServerConfig postgres = validate(kPostgres + "backup_options = exclusive_backup\n");
  EXPECT_TRUE(postgres.backup_options.concurrent_backup);
  EXPECT_FALSE(postgres.backup_options.exclusive_backup);
  EXPECT_EQ(postgres.warnings.size(), 1U);
  EXPECT_THAT(validate(kPostgres).backup_warnings, IsEmpty());
  EXPECT_THAT(validate(kPostgres + "warehousepg_dbid = 3\ncombine_mode = link\n").backup_warnings,
              ElementsAre(StartsWith("'warehousepg_dbid' of server 'b' has no effect: "),
                          StartsWith("'combine_mode = link' of server 'b' has no effect: ")));
}

TEST(Validation, PostgresMethod) {
  EXPECT_THAT(
      messages(kPostgres +
               "tablespace_bandwidth_limit = a:1\nreuse_backup = copy\nnetwork_compression = on\n"),
      ElementsAre("tablespace_bandwidth_limit option is not supported by postgres backup_method",
                  "reuse_backup option is not supported by postgres backup_method",
                  "network_compression option is not supported by postgres backup_method"));
  EXPECT_THAT(messages(kPostgres + "reuse_backup = off\n"), IsEmpty());
}

TEST(Validation, BackupCompression) {
  const std::string format = kPostgres + "backup_compression_format = plain\n";
  EXPECT_THAT(messages(format), IsEmpty());
  EXPECT_THAT(messages(format + "backup_compression = gzip\n"),
              ElementsAre("backup_compression_format plain is not compatible with "
                          "backup_compression_location None"));
  EXPECT_THAT(
      messages(format + "backup_compression = gzip\nbackup_compression_location = server\n"),
      IsEmpty());
  const auto count = [](const std::string& algorithm, const std::string& rest) {
    return messages(kPostgres + "backup_compression = " + algorithm + "\n" + rest).size();
  };
  EXPECT_EQ(count("gzip", "backup_compression_level = 9\n"), 0U);
  EXPECT_EQ(count("gzip", "backup_compression_level = -1\n"), 0U);
  EXPECT_EQ(count("gzip", "backup_compression_level = 0\n"), 1U);
  EXPECT_EQ(count("gzip", "backup_compression_workers = 2\n"), 1U);
  EXPECT_EQ(count("lz4", "backup_compression_level = 13\n"), 1U);
  EXPECT_EQ(count("zstd", "backup_compression_level = -131072\n"), 0U);
  EXPECT_EQ(count("zstd", "backup_compression_level = 23\n"), 1U);
  EXPECT_EQ(count("zstd", "backup_compression_workers = 2\n"), 0U);
  EXPECT_EQ(count("zstd", "backup_compression_workers = -2\n"), 1U);
  EXPECT_EQ(count("none", "backup_compression_level = 1\n"), 1U);
}

TEST(Validation, XzInABucket) {
  const std::string xz = "backup_compression = xz\n";
  for (const std::string& method :
       {std::string(), std::string("backup_method = local-to-cloud\n")}) {
    const std::string server =
        (method.empty() ? kCloud
                        : "conninfo = a=b\narchiver = on\nbasebackups_directory = s3://b/x\n"
                          "wals_directory = s3://b/x\n" +
                              method) +
        xz;
    EXPECT_THAT(messages(server), IsEmpty());
    EXPECT_THAT(messages(server + "backup_compression_level = 9\nbackup_compression_workers = 2\n"),
                IsEmpty());
    EXPECT_THAT(messages(server + "backup_compression_level = 10\n"),
                ElementsAre("backup_compression_level 10 is not supported by xz backup_compression "
                            "(must be 1 to 9)"));
  }
  EXPECT_THAT(messages(kCloud + xz + "backup_compression_location = server\n"),
              ElementsAre(HasSubstr("backup_compression xz is not known to PostgreSQL")));
}

TEST(Validation, SnapshotMethod) {
  // What it lacks is told behind the reason why none of it matters.
  EXPECT_THAT(messages(kSnapshot).front(),
              HasSubstr("backup_method = snapshot is not available in this version"));
  EXPECT_THAT(messages(kSnapshot), Contains("snapshot_provider option is required by snapshot "
                                            "backup_method"));
  EXPECT_THAT(messages(kSnapshot + "snapshot_provider = gcp\ngcp_project = p\n"), IsEmpty());
  EXPECT_THAT(messages(kSnapshot + "snapshot_provider = gcp\n"),
              Contains(HasSubstr("Error initialising snapshot provider gcp: ")));
  EXPECT_THAT(messages(kSnapshot + "snapshot_provider = moon\n"),
              Contains(HasSubstr("Error initialising snapshot provider moon: ")));
  EXPECT_THAT(
      messages(kSnapshot + "snapshot_provider = gcp\ngcp_project = p\nbandwidth_limit = 5\n"),
      Contains("bandwidth_limit option is not supported by snapshot backup_method"));
  const std::string aws = kSnapshot + "snapshot_provider = aws\n";
  EXPECT_THAT(messages(aws), IsEmpty());
  EXPECT_EQ(messages(aws + "aws_snapshot_lock_mode = compliance\n").size(), 2U);
  const std::string locked =
      aws + "aws_snapshot_lock_mode = governance\naws_snapshot_lock_duration = 5\n";
  EXPECT_THAT(messages(locked), IsEmpty());
  EXPECT_EQ(messages(locked + "aws_snapshot_lock_cool_off_period = 5\n").size(), 2U);
  EXPECT_EQ(messages(aws + "aws_snapshot_lock_duration = 0\n").size(), 2U);
  EXPECT_EQ(messages(aws + "aws_snapshot_lock_expiration_date = tomorrow\n").size(), 2U);
  EXPECT_THAT(messages(aws + "aws_snapshot_lock_expiration_date = 2027-01-02T03:04:05.678Z\n"),
              IsEmpty());
}

TEST(Validation, CloudDestinationsMayBeMixed) {
  EXPECT_THAT(messages(kCloud), IsEmpty());
  EXPECT_THAT(messages(kPostgres + "wals_directory = s3://b/x\n"), IsEmpty());
  EXPECT_THAT(messages(kPostgres + "basebackups_directory = s3://b/x\n"), IsEmpty());
  EXPECT_THAT(messages("conninfo = a=b\narchiver = on\nbackup_method = local-to-cloud\n"),
              ElementsAre("basebackups_directory and wals_directory must be cloud URLs with "
                          "local-to-cloud backup_method for server b"));
  const ServerConfig cloud = validate(kCloud);
  EXPECT_EQ(cloud.xlogdb_directory, "s3://b/x");
  EXPECT_EQ(cloud.xlogdb_location(), "/home/b/meta");
  EXPECT_EQ(validate(kCloud + "xlogdb_directory = /x\n").xlogdb_location(), "/x");
}

TEST(Validation, ObjectEncryption) {
  EXPECT_THAT(messages(kCloud + "aws_sse_kms_key_id = k\n"),
              ElementsAre("aws_encryption must be \"aws:kms\" if aws_sse_kms_key_id is specified"));
  EXPECT_THAT(messages(kCloud + "aws_sse_kms_key_id = k\naws_encryption = aws:kms\n"), IsEmpty());
  EXPECT_THAT(messages(kPostgres + "aws_sse_kms_key_id = k\n"), IsEmpty());

  const TemporaryDirectory directory;
  const std::string key = (directory.path() / "key.b64").string();
  const std::string option = kCloud + "aws_sse_customer_key = file://" + key + "\n";
  EXPECT_THAT(messages(option), ElementsAre("SSE-C key file not found: " + key));
  write_file_durably(key, "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n");
  EXPECT_THAT(messages(option), IsEmpty());
  EXPECT_THAT(messages(option + "aws_encryption = AES256\n"),
              ElementsAre("aws_sse_customer_key cannot be used together with aws_encryption"));
  write_file_durably(key, "AAEC");
  EXPECT_THAT(messages(option), ElementsAre("SSE-C key file " + key +
                                            " must contain a 256-bit (32-byte) key, got 3 bytes"));
  write_file_durably(key, "no!!");
  EXPECT_THAT(messages(option), ElementsAre("SSE-C key file " + key +
                                            " does not contain a valid base64-encoded key"));
  EXPECT_THAT(messages(kCloud + "aws_sse_customer_key = file://x\n"),
              ElementsAre("SSE-C key file path must be absolute: x"));
  EXPECT_THAT(messages(kCloud + "aws_sse_customer_key = /x\n"),
              ElementsAre(HasSubstr("must be provided as a file:// URI")));
}

TEST(Validation, AMethodThatIsNotUnderstoodIsNotTakenForRsync) {
  ServerConfig config;
  config.conninfo = "a=b";
  config.archiver = true;
  config.unusable_values = {{"backup_method", {.written = "postgress", .text = "told"}}};
  validate_server(config, {});
  EXPECT_THAT(config.messages, IsEmpty());
  EXPECT_FALSE(config.disabled);
}

TEST(Validation, PassiveServersNeedNoConnection) {
  EXPECT_THAT(messages("primary_ssh_command = ssh x\n"), IsEmpty());
  EXPECT_THAT(validate("primary_ssh_command = ssh x\n").warnings, IsEmpty());
}

TEST(Validation, InactiveServersAreToldButNotDisabled) {
  const ServerConfig config = validate("active = off\n");
  EXPECT_FALSE(config.disabled);
  EXPECT_THAT(config.messages, Contains(HasSubstr("Missing 'conninfo'")));
  EXPECT_THAT(config.warnings, IsEmpty());
  EXPECT_FALSE(config.archiver);
}

TEST(Validation, CompressionByTheServerDependsOnItsVersion) {
  ServerConfig config;
  config.backup_method = BackupMethod::postgres;
  config.backup_compression = BackupCompression::gzip;
  EXPECT_FALSE(find_version_problem(config, 130000));
  config.backup_compression_location = CompressionSide::server;
  EXPECT_THAT(find_version_problem(config, 140011),
              testing::Optional(testing::HasSubstr("PostgreSQL 15")));
  EXPECT_FALSE(find_version_problem(config, 150000));
  config.backup_compression = BackupCompression::none;
  EXPECT_TRUE(find_version_problem(config, 140011));
  config.backup_compression.reset();
  EXPECT_FALSE(find_version_problem(config, 140011));
}

}  // namespace
}  // namespace barman::config
