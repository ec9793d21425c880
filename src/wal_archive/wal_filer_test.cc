// The filer and the archive over every kind of storage, and with each of its operations failing.
#include "wal_archive/wal_filer.h"

#include <sys/stat.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <memory>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "base/error.h"
#include "storage/test_support.h"
#include "wal_archive/storage_test_support.h"

namespace barman::wal_archive {
namespace {

using storage::FaultyStorage;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAreArray;
using Fault = FaultyStorage::Fault;

std::string segment_text(const std::string& name) { return "content of " + name; }

class FilerOver : public ::testing::TestWithParam<StorageSetting> {};
struct FaultSetting {
  StorageKind kind = StorageKind::local;
  Fault fault = Fault::fail;
};

class FaultsOf : public ::testing::TestWithParam<FaultSetting> {};

TEST_P(FilerOver, ArchivesWhatIsReceived) {
  const ArchiveSite site(GetParam());
  const std::vector<std::string> names = {wal_name(1), wal_name(2)};
  for (const std::string& name : names) site.receive(name, segment_text(name));
  site.receive("00000002.history", "reason");
  for (const FiledWal& filed : site.file({names[0], names[1], "00000002.history"})) {
    EXPECT_EQ(filed.outcome, FiledAs::archived);
  }
  EXPECT_THAT(site.waiting(), IsEmpty());
  for (const std::string& name : names) EXPECT_EQ(site.text_of(name), segment_text(name));
  EXPECT_THAT(site.keys(), ElementsAre("0000000100000000/" + names[0],
                                       "0000000100000000/" + names[1], "00000002.history"));
  EXPECT_THAT(site.test().indexed(), ElementsAre(names[0], names[1], "00000002.history"));
  const WalArchive archive = site.archive();
  EXPECT_EQ(archive.is_local(), GetParam().kind == StorageKind::local);
  // Some readers begin where the descriptor stands.
  EXPECT_EQ(::lseek(archive.find(names[0])->file.get(), 0, SEEK_CUR), 0);
  const auto line = archive.index().find(names[0]);
  const auto found = archive.inspect(names[0]);
  ASSERT_TRUE(line && found);
  EXPECT_EQ(line->size_bytes, found->size_bytes);
  EXPECT_EQ(line->compression, found->compression);
  EXPECT_TRUE(archive.holds(names[1]));
  EXPECT_FALSE(archive.holds(wal_name(3)));
  EXPECT_FALSE(archive.find(wal_name(3)));
  EXPECT_EQ(archive.find_last_segment(wal::TimelineId{1}), names[1]);
  EXPECT_EQ(archive.find_last_segment(wal::TimelineId{2}), std::nullopt);
  EXPECT_EQ(archive.list_timelines().with_history, std::set<wal::TimelineId>{wal::TimelineId{2}});
  EXPECT_EQ(archive.list_timelines().with_segments, std::set<wal::TimelineId>{wal::TimelineId{1}});
  EXPECT_THAT(archive.list_missing(names[0], wal_name(4), {}),
              ElementsAre(wal_name(3), wal_name(4)));
  EXPECT_EQ(archive.read_text("00000002.history"), "1\t0/3000000\treason");
  EXPECT_EQ(archive.find_text("00000003.history"), std::nullopt);
  EXPECT_THROW(archive.read_text("00000003.history"), SystemError);
  EXPECT_TRUE(archive.lookup().is_archived(names[0]));
}

TEST_P(FilerOver, TellsDuplicatesAndRepairsTheirLine) {
  const ArchiveSite site(GetParam());
  for (const unsigned number : {1U, 2U}) {
    site.receive(wal_name(number), segment_text(wal_name(number)));
  }
  site.file({wal_name(1), wal_name(2)});
  {
    // The line of the second one is lost, as a crash leaves it.
    WalIndex index = site.archive().index();
    index.cut_out(index.find_lines([](const auto& line) { return line.name == wal_name(2); }));
  }
  site.receive(wal_name(1), "another content");
  site.receive(wal_name(2), segment_text(wal_name(2)));
  const std::vector<FiledWal> filed = site.file({wal_name(1), wal_name(2)});
  ASSERT_EQ(filed.size(), 2U);
  EXPECT_EQ(filed[0].outcome, FiledAs::rejected);
  EXPECT_EQ(filed[1].outcome, FiledAs::duplicate);
  EXPECT_EQ(site.text_of(wal_name(1)), segment_text(wal_name(1)));
  EXPECT_THAT(site.test().indexed(), ElementsAre(wal_name(1), wal_name(2)));
  EXPECT_EQ(list_names(site.test().config.errors_directory).size(), 1U);
  EXPECT_THAT(site.waiting(), IsEmpty());
}

TEST_P(FilerOver, AGoodFileTakesThePlaceOfOneThatCannotBeRight) {
  const ArchiveSite site(GetParam());
  {
    const auto sink =
        site.storage().create(WalArchive::key_of(wal_name(1)), storage::IfPresent::refuse);
    sink->write(as_bytes("no WAL"));
    sink->finish();
  }
  {
    WalIndex index = WalIndex::open(site.server().locations());
    if (!index.find(wal_name(1))) index.append({.name = wal_name(1), .size_bytes = 6, .mtime = 1});
  }
  site.receive(wal_name(1), "good");
  EXPECT_EQ(site.file({wal_name(1)}).at(0).outcome, FiledAs::archived);
  EXPECT_EQ(site.text_of(wal_name(1)), "good");
  EXPECT_THAT(site.test().indexed(), ElementsAre(wal_name(1)));
  const std::filesystem::path errors = site.test().config.errors_directory;
  const std::vector<std::string> kept = list_names(errors);
  ASSERT_EQ(kept.size(), 1U);
  EXPECT_EQ(get_file(errors / kept.front()), "no WAL");
}

// Whatever fails, what has left the receiver's directory is in the archive, complete and with its
// line; and the next run ends the work.
TEST_P(FaultsOf, LosesNothingWhereverTheStorageFails) {
  const std::vector<std::string> names = {wal_name(1), wal_name(2), wal_name(3)};
  const auto [kind, fault] = GetParam();
  auto step = static_cast<std::uint64_t>(1 + first_of_stride(6));
  for (bool is_over = false; !is_over; step += static_cast<std::uint64_t>(stride(6))) {
    const ArchiveSite site({.kind = kind, .compression = ""});
    // One that is archived already, and one that has to give way.
    site.receive(wal_name(1), segment_text(wal_name(1)));
    site.file({wal_name(1)});
    {
      const auto sink =
          site.storage().create(WalArchive::key_of(wal_name(3)), storage::IfPresent::refuse);
      sink->write(as_bytes("no WAL"));
      sink->finish();
    }
    for (const std::string& name : names) site.receive(name, segment_text(name));
    const auto faulty = std::make_shared<FaultyStorage>(site.storage(), step, fault);
    try {
      site.file(names, faulty);
      is_over = !faulty->has_failed();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::io) << error.describe();
    }
    const std::vector<std::string> waiting = site.waiting();
    const std::vector<std::string> indexed = site.test().indexed();
    for (const std::string& name : names) {
      const bool is_waiting = std::ranges::count(waiting, name) > 0;
      const auto lines = std::ranges::count(indexed, name);
      EXPECT_LE(lines, 1) << name << " step " << step;
      EXPECT_TRUE(is_waiting || lines == 1) << name << " is lost at step " << step;
      if (lines == 1) {
        EXPECT_EQ(site.text_of(name), segment_text(name)) << " step " << step;
      }
    }
    if (!site.waiting().empty()) site.file(names);
    EXPECT_THAT(site.waiting(), IsEmpty()) << "step " << step;
    EXPECT_THAT(site.test().indexed(), UnorderedElementsAreArray(names)) << "step " << step;
    for (const std::string& name : names) {
      EXPECT_EQ(site.text_of(name), segment_text(name)) << "step " << step;
    }
    EXPECT_EQ(site.keys().size(), names.size()) << "step " << step;
  }
  EXPECT_GT(step, 5U);
}

// The first object of a bucket must not come before its index: an index that is missing says that
// something was lost, and what is made anew without looking would hide WAL for ever.
TEST(WalArchive, AnIndexOfObjectsThatIsLostIsNotMadeEmpty) {
  const ArchiveSite site({.kind = StorageKind::memory, .compression = ""});
  site.receive(wal_name(1), "x");
  site.file({wal_name(1)});
  std::filesystem::remove(site.server().locations().wal_index_path());
  site.receive(wal_name(2), "y");
  site.file({wal_name(2)});
  EXPECT_THAT(site.indexed(), ElementsAre(wal_name(1), wal_name(2)));
}

TEST_P(FaultsOf, RemovesObjectsThenLinesWhereverTheStorageFails) {
  const auto [kind, fault] = GetParam();
  std::uint64_t step = 0;
  for (bool is_over = false; !is_over;) {
    const ArchiveSite site({.kind = kind, .compression = ""});
    std::vector<std::string> names;
    for (unsigned number = 1; number <= 4; ++number) {
      names.push_back(wal_name(number));
      site.receive(names.back(), segment_text(names.back()));
    }
    site.file(names);
    const WalRemovalPlan plan = {.is_removing = true, .first_needed = names[2]};
    const auto faulty = std::make_shared<FaultyStorage>(site.storage(), ++step, fault);
    try {
      site.archive_in(faulty).remove(plan, {});
      is_over = !faulty->has_failed();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::io);
      EXPECT_EQ(site.test().indexed().size(), 4U) << "lines go last, step " << step;
    }
    std::vector<std::string> gone;
    site.archive().remove(plan, [&](const WalIndexEntry& entry) { gone.push_back(entry.name); });
    EXPECT_THAT(site.test().indexed(), ElementsAre(names[2], names[3])) << "step " << step;
    EXPECT_EQ(site.keys().size(), 2U);
    EXPECT_EQ(site.text_of(names[2]), segment_text(names[2]));
  }
}

std::vector<FaultSetting> all_faults() {
  std::vector<FaultSetting> settings;
  for (const StorageKind kind :
       {StorageKind::local, StorageKind::distant, StorageKind::memory, StorageKind::bucket}) {
    for (const Fault fault : {Fault::fail, Fault::cut, Fault::late}) {
      settings.push_back({kind, fault});
    }
  }
  return settings;
}

std::string name_of_fault(const ::testing::TestParamInfo<FaultSetting>& info) {
  const Fault fault = info.param.fault;
  const std::string text = fault == Fault::fail ? "Fail" : fault == Fault::cut ? "Cut" : "Late";
  return name_of({.kind = info.param.kind, .compression = ""}) + "_" + text;
}

INSTANTIATE_TEST_SUITE_P(Storages, FaultsOf, ::testing::ValuesIn(all_faults()), name_of_fault);

// A host that has only the archive left.
TEST_P(FilerOver, TheIndexIsMadeAnewOfWhatIsArchived) {
  const ArchiveSite site(GetParam());
  const std::vector<std::string> names = {wal_name(1), wal_name(2), "00000002.history"};
  for (const std::string& name : names) site.receive(name, segment_text(name));
  site.file(names);
  const std::filesystem::path path = site.server().locations().wal_index_path();
  std::vector<WalIndexEntry> old_lines;
  site.archive().visit_lines([&](const WalIndexLine& line) {
    old_lines.push_back(line.entry());
    return Visit::proceed;
  });
  std::filesystem::remove(path);
  EXPECT_THAT(site.indexed(), ElementsAreArray(names)) << "when it is opened";
  put_file(path, "damage\n");
  const RebuildCounts counts = site.archive().rebuild_index();
  EXPECT_EQ(counts.wal_files, 2U);
  EXPECT_EQ(counts.history, 1U);
  std::vector<WalIndexEntry> lines;
  site.archive().visit_lines([&](const WalIndexLine& line) {
    lines.push_back(line.entry());
    return Visit::proceed;
  });
  ASSERT_EQ(lines.size(), old_lines.size());
  for (std::size_t i = 0; i < lines.size(); ++i) {
    EXPECT_EQ(lines[i].name, old_lines[i].name);
    EXPECT_EQ(lines[i].size_bytes, old_lines[i].size_bytes);
    EXPECT_EQ(lines[i].compression, old_lines[i].compression);
    EXPECT_NEAR(lines[i].mtime, old_lines[i].mtime, 600);
  }
}

// Of an encrypted one the content does not tell how it was compressed.
TEST_P(FilerOver, ANewIndexKeepsWhatOnlyTheOldOneKnows) {
  const ArchiveSite site(GetParam());
  const auto sink =
      site.storage().create(WalArchive::key_of(wal_name(1)), storage::IfPresent::refuse);
  sink->write(as_bytes("\x84\x5e\x03secret"));
  sink->finish();
  const std::filesystem::path path = site.server().locations().wal_index_path();
  WalIndexEntry line = site.archive().inspect(wal_name(1)).value();
  line.compression = "zstd";
  // An object appeared later than it was received.
  if (!site.archive().is_local()) line.mtime -= 100;
  put_file(path, format_wal_index_entry(line));
  EXPECT_EQ(site.archive().rebuild_index().wal_files, 1U);
  EXPECT_EQ(site.archive().index().find(wal_name(1))->compression, "zstd");
  ++line.size_bytes;
  put_file(path, format_wal_index_entry(line));
  site.archive().rebuild_index();
  EXPECT_EQ(site.archive().index().find(wal_name(1))->compression, std::nullopt) << "another file";
}

// A crash came between an encrypted object and its line, and the private key is elsewhere: nobody
// can say whether it is the same, so that none of the two goes.
TEST(WalArchive, AnEncryptedObjectIsTheSameWhenItsLineTellsSo) {
  const ArchiveSite site({.kind = StorageKind::bucket, .compression = ""});
  const auto put_object = [&] {
    const auto sink =
        site.storage().create(WalArchive::key_of(wal_name(1)), storage::IfPresent::replace);
    sink->write(as_bytes("\x84\x5e\x03secret"));
    sink->finish();
  };
  site.archive().index();
  put_object();
  site.receive(wal_name(1), "x");
  EXPECT_EQ(site.file({wal_name(1)}).at(0).outcome, FiledAs::archived);
  EXPECT_EQ(site.text_of(wal_name(1)), "x");
  EXPECT_EQ(list_names(site.test().config.errors_directory).size(), 1U);
  EXPECT_THAT(site.indexed(), ElementsAre(wal_name(1)));
  put_object();
  site.receive(wal_name(1), "x");
  {
    WalIndex index = site.archive().index();
    index.cut_out(index.find_lines([](const auto&) { return true; }));
    const std::filesystem::path received = site.test().incoming(wal_name(1));
    struct stat status = {};
    ASSERT_EQ(::stat(received.c_str(), &status), 0);
    index.append({.name = wal_name(1),
                  .size_bytes = 9,
                  .mtime = static_cast<double>(status.st_mtim.tv_sec) +
                           1e-9 * static_cast<double>(status.st_mtim.tv_nsec)});
  }
  EXPECT_EQ(site.file({wal_name(1)}).at(0).outcome, FiledAs::duplicate);
  EXPECT_THAT(site.waiting(), IsEmpty());
}

TEST_P(FilerOver, AnInterruptedRebuildLeavesTheOldIndex) {
  const ArchiveSite site(GetParam());
  site.receive(wal_name(1), "x");
  site.file({wal_name(1)});
  const std::string old = get_file(site.server().locations().wal_index_path());
  std::stop_source source;
  source.request_stop();
  EXPECT_THROW(site.archive().rebuild_index(Interrupt(source.get_token(), -1, nullptr)), Error);
  EXPECT_EQ(get_file(site.server().locations().wal_index_path()), old);
}

TEST_P(FilerOver, FindsSegmentsWithoutALine) {
  const ArchiveSite site(GetParam());
  std::vector<std::string> names;
  for (const unsigned number : {1U, 2U, 3U}) names.push_back(wal_name(number));
  for (const std::string& name : names) site.receive(name, segment_text(name));
  site.receive("00000002.history", "reason");
  site.file({names[0], names[1], names[2], "00000002.history"});
  const WalArchive archive = site.archive();
  const auto list = [&](const std::function<bool(std::string_view)>& is_indexed) {
    std::vector<std::string> found;
    for (const WalIndexEntry& entry : archive.list_unindexed(
             [&](std::string_view name) { return name != names[0]; }, is_indexed)) {
      EXPECT_EQ(entry.size_bytes, archive.inspect(entry.name)->size_bytes);
      found.push_back(entry.name);
    }
    return found;
  };
  const auto never = [](std::string_view) { return false; };
  EXPECT_THAT(list(never), IsEmpty()) << "their lines have come meanwhile";
  WalIndex index = archive.index();
  index.cut_out(index.find_lines([](const WalIndexLine&) { return true; }));
  EXPECT_THAT(list(never), ElementsAre(names[1], names[2]));
  EXPECT_THAT(list([&](std::string_view name) { return name == names[1]; }), ElementsAre(names[2]));
}

INSTANTIATE_TEST_SUITE_P(Storages, FilerOver,
                         ::testing::Values(StorageSetting{StorageKind::local, ""},
                                           StorageSetting{StorageKind::local, "zstd"},
                                           StorageSetting{StorageKind::distant, ""},
                                           StorageSetting{StorageKind::distant, "zstd"},
                                           StorageSetting{StorageKind::memory, ""},
                                           StorageSetting{StorageKind::memory, "zstd"},
                                           StorageSetting{StorageKind::bucket, ""},
                                           StorageSetting{StorageKind::bucket, "zstd"}),
                         [](const auto& parameters) { return name_of(parameters.param); });

}  // namespace
}  // namespace barman::wal_archive
