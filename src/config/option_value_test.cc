#include "config/option_value.h"

#include <string>

#include <gtest/gtest.h>

#include "base/text.h"
#include "config/rendering.h"

namespace barman::config {
namespace {

constexpr const char* kUrlRefusal =
    "The URL is not compatible with any of the supported cloud providers";

ParsedOption parse(std::string_view name, std::string_view text) {
  return parse_option(*find_option(name), text);
}

// The accepted value in native text form, or "! reason".
std::string outcome(std::string_view name, std::string_view text) {
  const ParsedOption parsed = parse(name, text);
  if (parsed.refusal) return "! " + *parsed.refusal;
  return python_text(native_value(*find_option(name), parsed.value));
}

bool is_refused(std::string_view name, std::string_view text) {
  return parse(name, text).refusal.has_value();
}

TEST(OptionTable, HasEveryOptionOfBarmanOnce) {
  // Four of them are ours: is_own_option().
  EXPECT_EQ(server_options().size(), 122U + 4U);
  for (const Option& option : server_options()) {
    EXPECT_EQ(find_option(option.name), &option);
    EXPECT_FALSE(option.summary.empty()) << option.name;
  }
  EXPECT_EQ(find_option("nonsense"), nullptr);
}

TEST(OptionTable, EveryDefaultIsAccepted) {
  for (const Option& option : server_options()) {
    const ParsedOption parsed = parse_option(option, option.default_text);
    if (option.type == OptionType::absolute_path || option.default_text.empty()) continue;
    EXPECT_FALSE(parsed.refusal) << option.name;
    EXPECT_TRUE(parsed.log_lines.empty()) << option.name;
  }
}

TEST(OptionTable, EveryOptionRoundTripsThroughItsMember) {
  for (const Option& option : server_options()) {
    ServerConfig config;
    ParsedOption parsed = parse_option(option, option.default_text);
    if (std::holds_alternative<std::monostate>(parsed.value)) continue;
    const OptionData expected = parsed.value;
    set_option(config, option, std::move(parsed.value));
    EXPECT_EQ(get_option(config, option), expected) << option.name;
  }
}

TEST(OptionTable, KnowsWhereKeysAreAllowed) {
  EXPECT_TRUE(is_known_global_key("barman_home"));
  EXPECT_TRUE(is_known_global_key("conninfo"));
  EXPECT_TRUE(is_known_global_key("log_format"));
  EXPECT_TRUE(is_known_server_key("barman_user"));
  EXPECT_TRUE(is_known_server_key("disabled"));
  EXPECT_FALSE(is_known_server_key("model"));
  EXPECT_FALSE(is_known_server_key("barman_home"));
  EXPECT_TRUE(is_known_model_key("model"));
  EXPECT_TRUE(is_known_model_key("warehousepg_dbid"));
  EXPECT_FALSE(is_known_model_key("pre_backup_script"));
  EXPECT_FALSE(is_known_model_key("wals_directory"));
  EXPECT_FALSE(is_known_model_key("disabled"));
}

TEST(OptionValue, Booleans) {
  for (const char* text : {"true", "T", "YES", "1", "on"})
    EXPECT_EQ(outcome("archiver", text), "True");
  for (const char* text : {"false", "F", "No", "0", "off"})
    EXPECT_EQ(outcome("archiver", text), "False");
  EXPECT_EQ(
      outcome("archiver", "maybe"),
      "! Invalid boolean representation (must be one in: true|t|yes|1|on | false|f|no|0|off)");
}

TEST(OptionValue, Integers) {
  EXPECT_EQ(outcome("check_timeout", "30"), "30");
  EXPECT_EQ(outcome("archiver_batch_size", "-1_000"), "-1000");
  EXPECT_EQ(outcome("check_timeout", "+5"), "5");
  EXPECT_EQ(outcome("check_timeout", "x"), "! invalid literal for int() with base 10: 'x'");
  for (const char* text : {"1__0", "_1", "1_", "1.5", "--1", "+-1", "99999999999999999999"})
    EXPECT_TRUE(is_refused("check_timeout", text)) << text;
}

TEST(OptionValue, TimesAndNumbersOfWorkersHaveALeastValue) {
  EXPECT_EQ(outcome("check_timeout", "0"), "0");
  for (const char* name : {"check_timeout", "keepalive_interval", "primary_checkpoint_timeout",
                           "basebackup_retry_times", "max_incoming_wals_queue"})
    EXPECT_EQ(outcome(name, "-1"), "! must be 0 or more") << name;
  EXPECT_EQ(outcome("parallel_jobs", "1"), "1");
  EXPECT_EQ(outcome("parallel_jobs", "0"), "! must be 1 or more");
  EXPECT_EQ(outcome("parallel_jobs_start_batch_size", "-2"), "! must be 1 or more");
}

TEST(OptionValue, WordsIgnoreCaseUnlessTheyAreCased) {
  EXPECT_EQ(outcome("backup_method", "Local-Rsync"), "local-rsync");
  EXPECT_TRUE(is_refused("backup_method", "magic"));
  EXPECT_EQ(outcome("staging_location", "remote"), "remote");
  EXPECT_TRUE(is_refused("staging_location", "Remote"));
  EXPECT_EQ(outcome("aws_encryption", "AES256"), "AES256");
  EXPECT_TRUE(is_refused("aws_encryption", "aes256"));
  EXPECT_EQ(outcome("compression", "none"), "None");
  EXPECT_EQ(outcome("backup_compression", "none"), "none");
}

// The text of a word comes back as it was written, and stands for the enumerator of that name.
TEST(OptionValue, WordsThatBecomeEnumsKeepTheirText) {
  int enum_count = 0;
  for (const Option& option : server_options()) {
    if (option.type != OptionType::word && option.type != OptionType::cased_word) continue;
    for (const std::string& word : split_blanks(option.words)) {
      ServerConfig config;
      set_option(config, option, word);
      EXPECT_EQ(get_option(config, option), OptionData(word)) << option.name;
      ++enum_count;
    }
  }
  EXPECT_GT(enum_count, 20);
  const auto set = [](std::string_view name, const char* word) {
    ServerConfig config;
    set_option(config, *find_option(name), std::string(word));
    return config;
  };
  EXPECT_EQ(set("create_slot", "auto").create_slot, SlotCreation::automatic);
  EXPECT_EQ(set("streaming_archiver_synchronous", "off").streaming_archiver_synchronous,
            SynchronousReceiving::off);
  EXPECT_EQ(set("backup_compression_format", "tar").backup_compression_format, BackupFormat::tar);
  EXPECT_EQ(set("reuse_backup", "off").reuse_backup, ReuseBackup::off);
  EXPECT_EQ(set("staging_location", "remote").staging_location, StagingLocation::remote);
  for (const char* word : {"rsync", "postgres", "local-rsync", "snapshot", "local-to-cloud"})
    EXPECT_EQ(to_text(set("backup_method", word).backup_method), word);
  for (const char* word : {"gzip", "lz4", "zstd", "none"})
    EXPECT_EQ(to_text(*set("backup_compression", word).backup_compression), word);
  for (const char* word : {"none", "gpg"})
    EXPECT_EQ(to_text(*set("encryption", word).encryption), word);
  for (const char* word : {"client", "server"}) {
    EXPECT_EQ(to_text(*set("backup_compression_location", word).backup_compression_location), word);
  }
}

TEST(OptionValue, WordSets) {
  EXPECT_EQ(outcome("backup_options", "Concurrent_Backup , external_configuration"),
            "BackupOptions({'concurrent_backup', 'external_configuration'})");
  EXPECT_EQ(outcome("recovery_options", "get-wal,get-wal"), "RecoveryOptions({'get-wal'})");
  EXPECT_NE(outcome("recovery_options", "fast").find("Unknown option"), std::string::npos);
  EXPECT_NE(
      outcome("backup_options", "exclusive_backup,concurrent_backup").find("cannot contain both"),
      std::string::npos);
}

TEST(OptionValue, Intervals) {
  EXPECT_EQ(outcome("last_wal_maximum_age", " 2 Hours "), "2:00:00");
  EXPECT_EQ(outcome("last_wal_maximum_age", "1 week"), "7 days, 0:00:00");
  EXPECT_EQ(outcome("last_wal_maximum_age", "25 hours"), "1 day, 1:00:00");
  EXPECT_EQ(outcome("last_wal_maximum_age", "1 month"), "31 days, 0:00:00");
  EXPECT_EQ(outcome("last_backup_maximum_age", "2 weeks"), "14 days");
  for (const char* text : {"3 years", "-1 days", "1day", "1", "day", "99999999999999999 days"})
    EXPECT_TRUE(is_refused("last_wal_maximum_age", text)) << text;
}

TEST(OptionValue, Sizes) {
  EXPECT_EQ(outcome("last_backup_minimum_size", "100"), "100");
  EXPECT_EQ(outcome("last_backup_minimum_size", "1k"), "1000");
  EXPECT_EQ(outcome("last_backup_minimum_size", "2 Ki"), "2048");
  EXPECT_EQ(outcome("last_backup_minimum_size", "100Gi"), "107374182400");
  EXPECT_EQ(outcome("last_backup_minimum_size", "1T"), "1000000000000");
  for (const char* text : {"10 MB", "12 bunnies", "K", "1K", "9999999999Ti", "-1"})
    EXPECT_TRUE(is_refused("last_backup_minimum_size", text)) << text;
}

TEST(OptionValue, PathsAndUrls) {
  EXPECT_EQ(outcome("staging_path", "/tmp"), "/tmp");
  EXPECT_EQ(outcome("staging_path", "rel"), "! Invalid value : 'rel' (must be an absolute path)");
  EXPECT_EQ(outcome("wals_directory", "rel/x"), "rel/x");
  for (const char* url :
       {"s3://bucket/x", "gs://bucket", "https://console.cloud.google.com/storage/browser/bucket",
        "https://account.blob.core.windows.net/container/x"})
    EXPECT_EQ(outcome("wals_directory", url), url);
  for (const char* url : {"s3://", "s4://bucket", "http://x/y", "https://x.example/c",
                          "https://account.blob.core.windows.net/"})
    EXPECT_EQ(outcome("wals_directory", url), std::string("! ") + kUrlRefusal) << url;
}

TEST(OptionValue, SlotsListsAndLevels) {
  EXPECT_EQ(outcome("slot_name", "Barman_1"), "barman_1");
  EXPECT_TRUE(is_refused("slot_name", "a-b"));
  EXPECT_EQ(outcome("snapshot_disks", "a, b"), "['a', ' b']");
  EXPECT_TRUE(is_refused("snapshot_disks", "a,,b"));
  EXPECT_EQ(outcome("compression_level", "HIGH"), "high");
  EXPECT_EQ(outcome("compression_level", "-5"), "-5");
  EXPECT_TRUE(is_refused("compression_level", "extreme"));
  EXPECT_EQ(outcome("custom_compression_magic", "0x1f8B"), "0x1f8B");
  EXPECT_TRUE(is_refused("custom_compression_magic", "1f8b"));
}

TEST(OptionValue, TablespaceLimitsTakeCommasAndBlanks) {
  EXPECT_EQ(outcome("tablespace_bandwidth_limit", "t1:100, t2:200"), "{'t1': 100, 't2': 200}");
  EXPECT_EQ(outcome("tablespace_bandwidth_limit", "t1:100 t2:200"), "{'t1': 100, 't2': 200}");
  const ParsedOption parsed = parse("tablespace_bandwidth_limit", "t1:x :5 t2:7");
  EXPECT_EQ(std::get<TablespaceLimits>(parsed.value), (TablespaceLimits{{"t2", 7}}));
  EXPECT_EQ(parsed.log_lines.size(), 2U);
}

TEST(OptionValue, FallsBackWithALogLineWhereBarmanSaysSo) {
  for (const char* text : {"x", "-1"}) {
    const ParsedOption parsed = parse("minimum_redundancy", text);
    EXPECT_EQ(std::get<std::int64_t>(parsed.value), 0);
    EXPECT_EQ(parsed.log_lines.size(), 1U);
  }
  EXPECT_EQ(outcome("retention_policy_mode", "manual"), "auto");
  EXPECT_EQ(outcome("bandwidth_limit", "fast"), "None");
  EXPECT_EQ(outcome("bandwidth_limit", "5120  ; 5 MB/s"), "5120");
}

TEST(OptionValue, RetentionPolicies) {
  EXPECT_EQ(outcome("retention_policy", " redundancy  2 "), "REDUNDANCY 2");
  EXPECT_EQ(outcome("retention_policy", "Recovery Window of 7 days"), "RECOVERY WINDOW OF 7 DAYS");
  EXPECT_EQ(outcome("retention_policy", "RECOVERY WINDOW OF 1 month"),
            "RECOVERY WINDOW OF 1 MONTHS");
  for (const char* text : {"REDUNDANCY", "REDUNDANCY -1", "RECOVERY WINDOW OF 3 HOURS", "keep all"})
    EXPECT_FALSE(parse("retention_policy", text).log_lines.empty()) << text;
}

TEST(OptionValue, InlineCommentsEndTypedValuesOnly) {
  EXPECT_EQ(outcome("archiver", "on # yes"), "True");
  EXPECT_EQ(outcome("archiver", "'on' ; yes"), "True");
  EXPECT_EQ(outcome("check_timeout", "# none"), "None");
  EXPECT_EQ(outcome("description", "x # y"), "x # y");
  EXPECT_EQ(outcome("wals_directory", "/a ;b"), "/a ;b");
}

TEST(OptionValue, EmptyAndNoneMeanUnset) {
  for (const char* text : {"", "None", "   "}) {
    EXPECT_TRUE(std::holds_alternative<std::monostate>(parse("conninfo", text).value));
    EXPECT_FALSE(is_refused("archiver", text));
  }
  EXPECT_EQ(outcome("description", "none"), "none");
}

}  // namespace
}  // namespace barman::config
