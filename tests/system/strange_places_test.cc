// A directory of a server that is something else: a file, a link to a disk that is not mounted, or
// closed to this user. Each command that needs it ends with an error that names it; none takes it
// for an empty one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/barman_home.h"
#include "support/old_catalogue.h"
#include "support/temp_dir.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

using testing::AnyOf;
using testing::HasSubstr;
using testing::Not;

using Arguments = std::vector<std::string>;

struct StrangePlace {
  std::string name;
  // Those that cannot do without it; others may work.
  std::vector<Arguments> commands;
};
std::ostream& operator<<(std::ostream& out, const StrangePlace& place) { return out << place.name; }

const std::vector<StrangePlace>& places() {
  const std::string id = OldCatalogue::kRoot;
  const std::string absent_wal = "0000000100000000000000FE";
  const Arguments get_absent = {"get-wal", "main", absent_wal};
  static const std::vector<StrangePlace> all = {
      {"meta",
       {{"list-backups", "main"},
        {"show-backup", "main", id},
        {"status", "main"},
        {"check", "main"},
        {"catalogue-check", "main"},
        {"check-backup", "main", id},
        {"keep", "--status", "main", id},
        {"delete", "--dry-run", "main", id},
        {"restore", "--dry-run", "main", id, "/tmp/barman-nowhere"},
        {"sync-info", "main"}}},
      {"base",
       {{"list-backups", "main"},
        {"show-backup", "main", "latest"},
        {"status", "main"},
        {"check", "main"},
        {"catalogue-check", "main"},
        {"list-files", "main", id},
        {"delete", "--dry-run", "main", id},
        {"restore", "--dry-run", "main", id, "/tmp/barman-nowhere"}}},
      {"wals",
       {{"list-backups", "main"},
        {"status", "main"},
        {"check", "main"},
        {"catalogue-check", "main"},
        {"check-backup", "main", id},
        get_absent,
        {"get-wal", "main", OldCatalogue::wal(4)},
        {"check-archived-wal-range", "main", OldCatalogue::wal(4), OldCatalogue::wal(5)},
        {"rebuild-xlogdb", "main"},
        {"sync-info", "main"}}},
      {"streaming",
       {{"check", "main"}, {"catalogue-check", "main"}, {"archive-wal", "main"}, get_absent}},
      {"incoming",
       {{"check", "main"}, {"catalogue-check", "main"}, {"archive-wal", "main"}, get_absent}},
  };
  return all;
}

class StrangePlaces : public testing::TestWithParam<StrangePlace> {
 protected:
  StrangePlaces() {
    barman_.add_section("main", {{"conninfo", "host=/nonexistent user=barman connect_timeout=2"},
                                 {"streaming_conninfo", "host=/nonexistent user=streaming"},
                                 {"backup_method", "postgres"},
                                 {"streaming_archiver", "on"},
                                 {"archiver", "on"},
                                 {"slot_name", "barman"}});
    catalogue_.add_all();
    for (const char* const name : {"streaming", "incoming"}) {
      fs::create_directories(barman_.server_directory("main") / name);
    }
  }
  ~StrangePlaces() override {
    std::error_code ignored;
    fs::permissions(path(), fs::perms::owner_all, ignored);
  }
  fs::path path() const { return barman_.server_directory("main") / GetParam().name; }

  void expect_errors() {
    for (const Arguments& command : GetParam().commands) {
      SCOPED_TRACE(testing::PrintToString(command));
      const CommandResult result = barman_.run(command);
      const std::string text = result.out + result.err;
      EXPECT_THAT(text, HasSubstr(path().string()));
      EXPECT_THAT(text, Not(HasSubstr("EXCEPTION")));
      EXPECT_THAT(text, Not(HasSubstr("std::")));
      // 1 would tell PostgreSQL that there is no more WAL.
      if (command.front() == "get-wal") {
        EXPECT_EQ(result.exit_code, 126) << text;
      } else {
        EXPECT_THAT(result.exit_code, AnyOf(1, 2)) << text;
      }
      if (command.front() != "check" && command.front() != "catalogue-check") {
        EXPECT_THAT(result.err, HasSubstr("\nHINT: "));
      }
    }
  }

  BarmanHome barman_;
  OldCatalogue catalogue_{barman_.server_directory("main"), old_layouts().back()};
};

INSTANTIATE_TEST_SUITE_P(Directories, StrangePlaces, testing::ValuesIn(places()),
                         [](const auto& place) { return place.param.name; });

TEST_P(StrangePlaces, AreNotEmpty) {
  const fs::path aside = path().string() + "-aside";
  fs::rename(path(), aside);
  {
    SCOPED_TRACE("a file");
    write_text(path(), "x");
    expect_errors();
    fs::remove(path());
  }
  {
    SCOPED_TRACE("a link that leads nowhere");
    fs::create_directory_symlink("/nowhere/at/all", path());
    expect_errors();
    fs::remove(path());
  }
  fs::rename(aside, path());
  {
    SCOPED_TRACE("closed");
    fs::permissions(path(), fs::perms::none);
    expect_errors();
    fs::permissions(path(), fs::perms::owner_all);
  }
  EXPECT_EQ(barman_.run({"list-backups", "main"}).exit_code, 0);
}

}  // namespace
}  // namespace barman::test
