// Every way to store a backup: {plain, tar} x {none, gzip, lz4, zstd} x {client, server} x {clear,
// gpg} x {full, chain of 3}. What Barman allows is taken, verified, restored to a point in
// time, started, and compared by its rows; what it forbids is refused with its reason, and nothing
// is begun.
//
// With BARMAN_MATRIX=full in the environment everything is done on every version. Without it every
// algorithm gets two forms on PostgreSQL 17, and every other version gets two algorithms in one
// form each, other ones in each version.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <tuple>

#include "encryption/test_support.h"
#include "support/streaming_site.h"
#include "support/temp_dir.h"
#include "support/writer.h"

namespace barman::test {
namespace {

using encryption::TestKeyring;
using testing::HasSubstr;

constexpr int kFirstWithCompression = 15;
constexpr int kFirstWithIncrements = 17;

struct BackupForm {
  std::string format;
  std::string location;
  std::string encryption;
};

const std::vector<BackupForm>& all_forms() {
  static const std::vector<BackupForm> forms = [] {
    std::vector<BackupForm> made;
    for (const char* const format : {"tar", "plain"}) {
      for (const char* const location : {"client", "server"}) {
        for (const char* const encryption : {"none", "gpg"}) {
          made.push_back({.format = format, .location = location, .encryption = encryption});
        }
      }
    }
    return made;
  }();
  return forms;
}

// "" when there is nothing against it.
std::string refusal_of(const BackupForm& form, int major) {
  if (form.format == "plain" && form.location != "server") {
    return "backup_compression_format plain is not compatible with backup_compression_location " +
           form.location;
  }
  if (form.format == "plain" && form.encryption == "gpg") {
    return "encryption needs backup_compression_format = tar";
  }
  if (form.location == "server" && major < kFirstWithCompression) {
    return "backup_compression_location = server requires PostgreSQL 15 or later";
  }
  return "";
}

// Debian's builds of 15 and 17 have all algorithms, the others gzip only.
bool is_debian(int major) { return major == 15 || major == 17; }

bool can_compress(const BackupForm& form, const std::string& algorithm, int major) {
  return form.location != "server" || algorithm == "none" || algorithm == "gzip" ||
         is_debian(major);
}

bool wants_all() {
  const char* const wanted = std::getenv("BARMAN_MATRIX");
  return wanted != nullptr && std::string(wanted) == "full";
}

// By version and algorithm.
std::vector<std::tuple<int, std::string>> chosen_cells() {
  std::vector<std::tuple<int, std::string>> cells;
  for (const int major : all_majors()) {
    int turn = major;
    for (const char* const algorithm : {"none", "gzip", "lz4", "zstd"}) {
      if (wants_all() || major == kUsualMajor || turn++ % 2 == 0)
        cells.emplace_back(major, algorithm);
    }
  }
  return cells;
}

// A PostgreSQL with rows, whose backups are stored in one form after the other.
class Matrix : public testing::TestWithParam<std::tuple<int, std::string>> {
 protected:
  Matrix()
      : major_(std::get<0>(GetParam())),
        algorithm_(std::get<1>(GetParam())),
        site_({.postgres = postgres_options(major_),
               .server = {{"encryption_key_id", TestKeyring::kKey},
                          {"encryption_passphrase_command", "echo open sesame"}}}) {
    site_.start_receiver();
    site_.postgres.query(
        "CREATE TABLE here AS SELECT g AS id, md5(g::text) AS text "
        "FROM generate_series(1, 5000) g");
    site_.postgres.query(
        "CREATE TABLE there TABLESPACE ts AS SELECT generate_series(1, 500) AS id");
    site_.postgres.query("CREATE TABLE marks (mark text)");
    site_.archive_a_segment();
  }

  static PostgresOptions postgres_options(int major) {
    PostgresOptions options{.major = major, .tablespaces = {"ts"}};
    if (major >= kFirstWithIncrements) options.settings["summarize_wal"] = "on";
    if (is_debian(major)) options.bin_directory = get_debian_version(major).bin_directory;
    return options;
  }

  void choose(const BackupForm& form) {
    site_.barman.set("main", "backup_compression", algorithm_);
    site_.barman.set("main", "backup_compression_format", form.format);
    site_.barman.set("main", "backup_compression_location", form.location);
    site_.barman.set("main", "encryption", form.encryption);
  }

  std::string take(const std::vector<std::string>& options) {
    std::vector<std::string> arguments = {"backup", "--wait"};
    arguments.insert(arguments.end(), options.begin(), options.end());
    arguments.emplace_back("main");
    const CommandResult taken = site_.barman.run(arguments);
    EXPECT_EQ(taken.exit_code, 0) << taken.out << taken.err;
    EXPECT_EQ(taken.err, "");
    const std::string id = site_.listed_backups().front();
    const CommandResult verified = site_.barman.run({"verify-backup", "main", id});
    EXPECT_EQ(verified.exit_code, 0) << verified.out << verified.err;
    return id;
  }

  // Between two rows, of which a restore to that point brings the first one.
  void mark(const std::string& point) {
    site_.postgres.query("DELETE FROM marks");
    site_.postgres.query("INSERT INTO marks VALUES ('before " + point + "')");
    rows_ = rows_of(site_.postgres);
    site_.postgres.query("SELECT pg_create_restore_point('" + point + "')");
    site_.postgres.query("INSERT INTO marks VALUES ('after')");
    site_.archive_a_segment();
  }

  static std::vector<Rows> rows_of(const PostgresServer& postgres) {
    return {sorted_rows(postgres, "here"), sorted_rows(postgres, "there"),
            sorted_rows(postgres, "marks")};
  }

  void expect_restore(const std::string& id, const std::string& point) {
    const TempDir place;
    const std::string data = (place.path() / "data").string();
    const CommandResult restored = site_.barman.run(
        {"restore", "--target-name", point, "--target-action", "promote", "--tablespace",
         "ts:" + (place.path() / "ts").string(), "main", id, data});
    ASSERT_EQ(restored.exit_code, 0) << restored.out << restored.err;
    EXPECT_EQ(restored.err, "");
    PostgresServer server({.major = major_, .data_directory = data});
    server.wait_until_primary();
    EXPECT_EQ(rows_of(server), rows_);
  }

  void expect_full_and_chain() {
    const std::string name = fmt::format("point_{}", ++point_);
    const std::string full = take({});
    mark(name);
    expect_restore(full, name);
    if (major_ < kFirstWithIncrements) return;
    site_.postgres.query("UPDATE here SET text = 'first' WHERE id % 100 = 7");
    take({"--incremental", "last"});
    site_.postgres.query("UPDATE there SET id = id + 1000 WHERE id < 10");
    const std::string second = take({"--incremental", "last"});
    mark(name + "_chain");
    expect_restore(second, name + "_chain");
  }

  void expect_refusal(const std::string& reason) {
    const std::vector<std::string> before = site_.listed_backups();
    const CommandResult refused = site_.barman.run({"backup", "main"});
    EXPECT_NE(refused.exit_code, 0);
    EXPECT_THAT(refused.out + refused.err, HasSubstr(reason));
    EXPECT_EQ(site_.barman.backup_ids("main").size(), before.size());
  }

  const int major_;
  const std::string algorithm_;
  TestKeyring keyring_;
  StreamingSite site_;
  std::vector<Rows> rows_;
  int point_ = 0;
};

INSTANTIATE_TEST_SUITE_P(PostgreSQL, Matrix, testing::ValuesIn(chosen_cells()),
                         [](const auto& tested) {
                           return fmt::format("{}_{}", std::get<0>(tested.param),
                                              std::get<1>(tested.param));
                         });

TEST_P(Matrix, IsTakenVerifiedRestoredAndStartedOrRefused) {
  std::vector<BackupForm> valid;
  for (const BackupForm& form : all_forms()) {
    const std::string reason = refusal_of(form, major_);
    SCOPED_TRACE(fmt::format("{} {} {}", form.format, form.location, form.encryption));
    if (reason.empty()) {
      if (can_compress(form, algorithm_, major_)) valid.push_back(form);
      continue;
    }
    choose(form);
    if (wants_all() || major_ == kUsualMajor) expect_refusal(reason);
  }
  if (!wants_all()) {
    const std::size_t turn = static_cast<std::size_t>(major_) + algorithm_.size();
    const std::size_t count = major_ == kUsualMajor ? 2 : 1;
    std::vector<BackupForm> chosen;
    for (std::size_t i = 0; i < count; ++i)
      chosen.push_back(valid.at((turn + 2 * i) % valid.size()));
    valid = chosen;
  }
  for (const BackupForm& form : valid) {
    SCOPED_TRACE(fmt::format("{} {} {}", form.format, form.location, form.encryption));
    choose(form);
    expect_full_and_chain();
    RecordProperty(fmt::format("{}_{}_{}", form.format, form.location, form.encryption), "done");
  }
}

}  // namespace
}  // namespace barman::test
