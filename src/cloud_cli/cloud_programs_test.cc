#include "cloud_cli/cloud_programs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "cloud_cli/cloud_program.h"
#include "cloud_cli/hook_call.h"
#include "command_line/help.h"
#include "command_line/parser.h"

namespace barman::cloud_cli {
namespace {

using testing::HasSubstr;
using Line = std::vector<std::string>;

command_line::ParsedArguments parse(const command_line::ProgramSpec& spec, const Line& words) {
  return command_line::parse_line(spec, words).arguments;
}

std::string refusal(const command_line::ProgramSpec& spec, const Line& words) {
  try {
    command_line::parse_line(spec, words);
    return "";
  } catch (const command_line::UsageError& error) {
    return error.what();
  }
}

TEST(CloudPrograms, AreNine) {
  EXPECT_EQ(cloud_programs().size(), 9U);
  for (const CloudProgram& program : cloud_programs()) {
    EXPECT_EQ(program.spec().name, program.name);
    EXPECT_EQ(program.spec().usage_exit_code, 3);
    EXPECT_THAT(command_line::help_text(program.spec()), HasSubstr("server_name"));
    EXPECT_FALSE(program.spec().exits.empty());
  }
}

// What CloudNativePG writes.
TEST(CloudPrograms, TakeTheLinesOfOperators) {
  auto arguments =
      parse(cloud_backup_program(),
            {"--user", "postgres", "--name", "backup-20260101", "--gzip", "--encryption", "AES256",
             "--jobs", "2", "--immediate-checkpoint", "--tags", "a,b", "c,d", "--endpoint-url",
             "http://minio:9000", "--cloud-provider", "aws-s3", "s3://backups/", "cluster"});
  EXPECT_EQ(arguments.get("url"), "s3://backups/");
  EXPECT_EQ(arguments.get("server_name"), "cluster");
  EXPECT_EQ(arguments.list("tags"), (Line{"a,b", "c,d"}));
  EXPECT_EQ(arguments.find("compression"), "gzip");
  arguments = parse(cloud_wal_archive_program(),
                    {"--gzip", "--history-tags", "k,v", "--endpoint-url", "http://minio:9000",
                     "--cloud-provider", "azure-blob-storage", "--credential", "default",
                     "https://a.blob.core.windows.net/c", "cluster", "pg_wal/0001"});
  EXPECT_EQ(arguments.find("azure_credential"), "default");
  EXPECT_EQ(arguments.find("wal_path"), "pg_wal/0001");
  arguments = parse(cloud_backup_delete_program(),
                    {"--retention-policy", "RECOVERY WINDOW OF 7 DAYS", "s3://b", "cluster"});
  EXPECT_EQ(arguments.find("retention_policy"), "RECOVERY WINDOW OF 7 DAYS");
  arguments = parse(cloud_wal_restore_program(),
                    {"s3://b", "cluster", "00000002.history", "--end", "http://m", "to"});
  EXPECT_EQ(arguments.get("wal_dest"), "to");
  EXPECT_EQ(arguments.find("endpoint_url"), "http://m");
}

TEST(CloudPrograms, RefuseWrongLines) {
  EXPECT_THAT(refusal(cloud_backup_program(), {"-S", "5G", "s3://b", "s"}),
              HasSubstr("'5G' is not a valid size string"));
  EXPECT_THAT(refusal(cloud_backup_program(), {"-z", "--lz4", "s3://b", "s"}),
              HasSubstr("not allowed with"));
  EXPECT_THAT(refusal(cloud_backup_program(), {"-n", "last", "s3://b", "s"}),
              HasSubstr("reserved word"));
  EXPECT_THAT(refusal(cloud_backup_program(), {"--brotli", "s3://b", "s"}), HasSubstr("--brotli"));
  EXPECT_THAT(refusal(cloud_backup_list_program(), {"-v", "-q", "s3://b", "s"}),
              HasSubstr("not allowed with"));
  EXPECT_THAT(refusal(cloud_check_wal_archive_program(),
                      {"--sse-customer-key", "file:///x", "s3://b", "s"}),
              HasSubstr("unrecognized arguments"));
  EXPECT_THAT(refusal(cloud_wal_restore_program(), {"s3://b", "s"}),
              HasSubstr("the following arguments are required: wal_name, wal_dest"));
  EXPECT_THAT(refusal(cloud_restore_program(), {"--target-tli", "0", "s3://b", "s", "auto", "/d"}),
              HasSubstr("positive integer"));
}

object_store::ObjectTags tags_of(const Line& words) {
  Line line = words;
  line.insert(line.end(), {"--", "s3://b", "s", "w"});
  return parse_tags(parse(cloud_wal_archive_program(), line), "tag");
}

TEST(Tags, HaveTwoForms) {
  EXPECT_EQ(tags_of({"--tag", "a, b", "--tag", "c,d"}),
            (object_store::ObjectTags{{"a", "b"}, {"c", "d"}}));
  EXPECT_EQ(tags_of({"--tags", "\"a,1\",b", "c,"}),
            (object_store::ObjectTags{{"a,1", "b"}, {"c", ""}}));
}

TEST(Tags, AreCounted) {
  try {
    tags_of({"--tags", "a,b,c"});
    ADD_FAILURE();
  } catch (const ProgramEnd& end) {
    EXPECT_EQ(end.exit_code(), 3);
    EXPECT_EQ(end.message(), "Invalid tag format: a,b,c");
  }
  EXPECT_THROW(tags_of({"--tag", "a,b", "--tag", "a,c"}), Error);
  Line many;
  for (int i = 0; i < 11; ++i) {
    many.emplace_back("--tag");
    many.push_back("k" + std::to_string(i) + ",v");
  }
  EXPECT_THROW(tags_of(many), Error);
}

TEST(Encryption, OptionsMustGoTogether) {
  const auto options = [](const Line& words) {
    Line line = words;
    line.insert(line.end(), {"s3://b", "s", "w"});
    return upload_store_options(parse(cloud_wal_archive_program(), line));
  };
  EXPECT_EQ(options({"-e", "aws:kms", "--sse-kms-key-id", "id"}).sse_kms_key_id, "id");
  EXPECT_THROW(options({"--sse-kms-key-id", "id"}), Error);
  EXPECT_THROW(options({"-e", "AES256", "--sse-kms-key-id", "id"}), Error);
  EXPECT_THROW(options({"-e", "AES256", "--sse-customer-key", "file:///absent"}), Error);
}

TEST(HookCall, IsKnownByItsVariables) {
  EXPECT_TRUE(is_call_of({.phase = "pre", .hook = "archive_retry_script"}, "pre", "archive"));
  EXPECT_TRUE(is_call_of({.phase = "pre", .hook = "archive_script"}, "pre", "archive"));
  EXPECT_FALSE(is_call_of({.phase = "post", .hook = "archive_script"}, "pre", "archive"));
  EXPECT_FALSE(is_call_of({.phase = "post", .hook = "wal_delete_script"}, "post", "backup"));
}

}  // namespace
}  // namespace barman::cloud_cli
