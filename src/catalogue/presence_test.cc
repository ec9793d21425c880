#include "catalogue/presence.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/test_support.h"
#include "catalogue/test_support.h"

namespace barman::catalogue {
namespace {

namespace fs = std::filesystem;

using testing::HasSubstr;

class Presence : public testing::Test {
 protected:
  Presence() { fs::create_directory(places_.log_directory); }

  // What is told; "" when all is well.
  std::string told(NewCatalogue new_catalogue = NewCatalogue::is_error) {
    const auto error = find_absence(locations_, places_, new_catalogue);
    return error ? error->describe_with_hint() : std::string();
  }
  void make_skeleton() {
    for (const char* name : {"base", "wals", "meta"}) {
      fs::create_directories(locations_.backup_directory / name);
    }
  }

  TemporaryDirectory directory_;
  NotePlaces places_{.barman_home = directory_.path(), .log_directory = directory_.path() / "log"};
  CatalogueLocations locations_ = default_locations("main", directory_.path() / "main");
};

TEST_F(Presence, OfANewServerMayBeMade) {
  EXPECT_THAT(told(), HasSubstr("\"barman check main\" makes it"));
  EXPECT_EQ(told(NewCatalogue::is_made), "");
  EXPECT_EQ(told(NewCatalogue::is_left), "");
  make_skeleton();
  EXPECT_EQ(told(), "");
}

TEST_F(Presence, IsNotNeededForBackupsInABucket) {
  locations_.has_local_backups = false;
  EXPECT_EQ(told(), "");
  make_skeleton();
  note_presence(locations_, places_);
  fs::rename(locations_.backup_directory, directory_.path() / "elsewhere");
  EXPECT_THAT(told(), HasSubstr("is not there, and held a catalogue at 2"));
}

TEST_F(Presence, IsMissedOnceItWasNoted) {
  make_skeleton();
  note_presence(locations_, places_);
  EXPECT_EQ(told(), "");
  fs::rename(locations_.backup_directory, directory_.path() / "elsewhere");
  for (const auto kind : {NewCatalogue::is_error, NewCatalogue::is_made, NewCatalogue::is_left}) {
    EXPECT_THAT(told(kind), HasSubstr("is not there, and held a catalogue at 2"));
  }
  // An empty mount point, and one in which somebody has made directories meanwhile.
  fs::create_directory(locations_.backup_directory);
  EXPECT_THAT(told(NewCatalogue::is_made), HasSubstr("holds no catalogue"));
  make_skeleton();
  EXPECT_THAT(told(NewCatalogue::is_made), HasSubstr("Is its disk mounted?"));
  // One of the notes is enough; without any it is a new server.
  fs::remove(directory_.path() / ".main-catalogue");
  EXPECT_THAT(told(NewCatalogue::is_made), HasSubstr("log/.main-catalogue"));
  fs::remove(places_.log_directory / ".main-catalogue");
  EXPECT_EQ(told(), "");
}

TEST_F(Presence, OfACatalogueWithoutMarkerIsSeenFromItsContent) {
  make_skeleton();
  note_presence(locations_, places_);
  fs::remove(locations_.backup_directory / ".barman-catalogue");
  EXPECT_NE(told(), "");
  std::ofstream(locations_.backup_directory / "identity.json") << "{}";
  EXPECT_EQ(told(), "");
}

TEST_F(Presence, IsOfOneDirectory) {
  make_skeleton();
  note_presence(locations_, places_);
  locations_ = default_locations("main", directory_.path() / "moved");
  EXPECT_EQ(told(NewCatalogue::is_made), "");
}

TEST_F(Presence, NeedsBarmanHome) {
  places_.barman_home = directory_.path() / "nowhere";
  EXPECT_THAT(told(NewCatalogue::is_made), HasSubstr("nowhere\", is not there"));
  EXPECT_THAT(told(NewCatalogue::is_made), HasSubstr("Is its disk mounted?"));
}

TEST(FindUnmounted, ComparesWhatIsWantedWithWhatIsThere) {
  constexpr std::string_view kTable =
      "# /srv/barman was here\n/dev/a / ext4 defaults 0 1\nUUID=b  /srv\text4 noauto 0 2\n"
      "/dev/c /srv/my\\040barman/ xfs defaults 0 2\n/dev/d none swap sw 0 0\n";
  constexpr std::string_view kRoot = "21 1 8:1 / / rw - ext4 /dev/a rw\n";
  constexpr std::string_view kSrv = "22 21 8:2 / /srv rw - ext4 /dev/b rw\n";
  EXPECT_EQ(find_unmounted("/srv/barman/main", kTable, kRoot), "/srv");
  EXPECT_EQ(find_unmounted("/srv/my barman/main", kTable, kRoot), "/srv/my barman");
  EXPECT_EQ(find_unmounted("/srv/my barman/main", kTable, std::string(kRoot) + std::string(kSrv)),
            "/srv/my barman");
  EXPECT_EQ(find_unmounted("/srv/barman", kTable, std::string(kRoot) + std::string(kSrv)), "");
  EXPECT_EQ(find_unmounted("/srvbarman", kTable, kRoot), "");
  EXPECT_EQ(find_unmounted("/var/lib/barman", "UNCONFIGURED FSTAB\n", kRoot), "");
}

}  // namespace
}  // namespace barman::catalogue
