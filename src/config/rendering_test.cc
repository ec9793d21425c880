#include "config/rendering.h"

#include <algorithm>
#include <string>

#include <gtest/gtest.h>

#include "config/resolution.h"

namespace barman::config {
namespace {

ServerConfig resolve(const std::string& body) {
  IniDocument document;
  document.merge(parse_ini("[a]\n" + body, "x.conf"), "x.conf");
  std::vector<std::string> warnings;
  return resolve_server(document, "a", "/home", warnings);
}

const OptionValue& find(const ShownOptions& shown, std::string_view key) {
  static const OptionValue kMissing{std::string("missing")};
  const auto position = std::find_if(shown.begin(), shown.end(),
                                     [&](const auto& entry) { return entry.first == key; });
  return position == shown.end() ? kMissing : position->second;
}

TEST(Rendering, ShowServersPrintsNativeForms) {
  const ShownOptions shown = list_native_options(
      resolve("backup_options = concurrent_backup\nlast_wal_maximum_age = 1 week\n"
              "last_backup_maximum_age = 2 weeks\ntablespace_bandwidth_limit = t1:100\n"
              "snapshot_disks = d1,d2\nretention_policy = recovery window of 7 days\n"
              "cloud_staging_max_size = 1Ki\n"));
  const auto text = [&](std::string_view key) { return python_text(find(shown, key)); };
  EXPECT_EQ(shown.size(), 129U);
  EXPECT_TRUE(std::is_sorted(shown.begin(), shown.end(),
                             [](const auto& a, const auto& b) { return a.first < b.first; }));
  EXPECT_EQ(text("active"), "True");
  EXPECT_EQ(text("archiver"), "False");
  EXPECT_EQ(text("disabled"), "False");
  EXPECT_EQ(text("conninfo"), "None");
  EXPECT_EQ(text("backup_options"), "BackupOptions({'concurrent_backup'})");
  EXPECT_EQ(text("recovery_options"), "RecoveryOptions()");
  EXPECT_EQ(text("last_wal_maximum_age"), "7 days, 0:00:00");
  EXPECT_EQ(text("last_backup_maximum_age"), "14 days");
  EXPECT_EQ(text("tablespace_bandwidth_limit"), "{'t1': 100}");
  EXPECT_EQ(text("snapshot_disks"), "['d1', 'd2']");
  EXPECT_EQ(text("retention_policy"), "RECOVERY WINDOW OF 7 DAYS");
  EXPECT_EQ(text("wal_retention_policy"), "MAIN");
  EXPECT_EQ(text("cloud_staging_max_size"), "1024");
  EXPECT_EQ(text("backup_method"), "rsync");
  EXPECT_EQ(text("name"), "a");
  EXPECT_EQ(text("passive_node"), "False");
  EXPECT_EQ(text("active_model"), "None");
}

TEST(Rendering, ShowsNoSecretAndNoMistypedOne) {
  const ShownOptions shown = list_native_options(
      resolve("conninfo = host=pg pasword=hunter2\nwal_conninfo = host=pg\n"
              "encryption_passphrase_command = echo hunter2\nencryption = none\n"));
  EXPECT_EQ(python_text(find(shown, "conninfo")), "host=pg pasword=*REDACTED*");
  EXPECT_EQ(python_text(find(shown, "wal_conninfo")), "host=pg");
  EXPECT_EQ(python_text(find(shown, "encryption_passphrase_command")), "*REDACTED*");
  EXPECT_EQ(find(shown, "encryption"), OptionValue{nullptr}) << "as Barman shows it";
  const ShownOptions unset = list_native_options(resolve(""));
  EXPECT_EQ(find(unset, "encryption_passphrase_command"), OptionValue{nullptr});
  EXPECT_EQ(find(unset, "encryption"), OptionValue{nullptr});
}

TEST(Rendering, ALevelThatIsANumberIsShownAsOne) {
  const auto level = [](const std::string& written) {
    return find(list_native_options(resolve("compression_level = " + written + "\n")),
                "compression_level");
  };
  EXPECT_EQ(level("-5"), OptionValue{std::int64_t{-5}});
  EXPECT_EQ(level("HIGH"), OptionValue{std::string("high")});
}

TEST(Rendering, AnUnsetBackupAgeIsTheTextNone) {
  const ShownOptions shown = list_native_options(resolve("retention_policy = nonsense\n"));
  EXPECT_EQ(find(shown, "last_backup_maximum_age"), OptionValue{std::string("None")});
  EXPECT_EQ(find(shown, "last_wal_maximum_age"), OptionValue{nullptr});
  EXPECT_EQ(python_text(find(shown, "wal_retention_policy")), "main");
  EXPECT_EQ(python_text(find(shown, "retention_policy")), "nonsense");
}

TEST(Rendering, ExportsTextAndNumbers) {
  const ShownOptions shown = list_exported_options(
      resolve("backup_options = external_configuration, concurrent_backup\n"
              "last_wal_maximum_age = 2 hours\ntablespace_bandwidth_limit = t1:100\n"));
  EXPECT_EQ(shown.size(), 127U);
  EXPECT_EQ(shown.front().first, "active");
  EXPECT_EQ(shown.back().first, "name");
  EXPECT_EQ(find(shown, "backup_options"),
            OptionValue{std::string("concurrent_backup,external_configuration")});
  EXPECT_EQ(find(shown, "recovery_options"), OptionValue{std::string()});
  EXPECT_EQ(find(shown, "last_wal_maximum_age"), OptionValue{std::string("2 hours")});
  EXPECT_EQ(find(shown, "tablespace_bandwidth_limit"),
            (OptionValue{OptionValue::Object{{"t1", {std::int64_t{100}}}}}));
}

TEST(Rendering, QuotesStringsInsideListsAsPythonDoes) {
  const auto repr = [](std::string text) {
    return python_text({OptionValue::List{{std::move(text)}}});
  };
  EXPECT_EQ(repr("it's"), "[\"it's\"]");
  EXPECT_EQ(repr("a'b\"c\\\n"), "['a\\'b\"c\\\\\\n']");
  EXPECT_EQ(repr("a\u00adb\xff"), "['a\\xadb\\udcff']");
  EXPECT_EQ(python_text({OptionValue::List{{nullptr}, {true}, {1.0}}}), "[None, True, 1.0]");
}

}  // namespace
}  // namespace barman::config
