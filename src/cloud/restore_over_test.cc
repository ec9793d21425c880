#include "cloud/restore_over.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <functional>
#include <random>
#include <string>
#include <string_view>

#include "base/directory.h"
#include "base/fd.h"
#include "base/process.h"
#include "cloud/restore_test_support.h"
#include "stored/archive_set.h"
#include "stored/test_support.h"

namespace barman::cloud {
namespace {

using testing::AllOf;
using testing::HasSubstr;

// root is refused. What `run` returns, in a child that is somebody else.
std::string as_somebody_else(const fs::path& directory, const std::function<std::string()>& run) {
  constexpr uid_t kSomebodyElse = 64123;
  std::array<int, 2> ends{};
  EXPECT_EQ(::pipe(ends.data()), 0);
  if (::geteuid() == 0) {
    EXPECT_EQ(::lchown(directory.c_str(), kSomebodyElse, kSomebodyElse), 0);
    walk_directory(directory, [&](const fs::path& path, EntryKind) {
      EXPECT_EQ(::lchown(path.c_str(), kSomebodyElse, kSomebodyElse), 0) << path;
      return Descend::yes;
    });
  }
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(60);  // Instead of a wait for ever.
    if (::geteuid() == 0 && ::setresuid(kSomebodyElse, kSomebodyElse, kSomebodyElse) != 0) {
      ::_exit(90);
    }
    const std::string text = run();
    ::_exit(::write(ends[1], text.data(), text.size()) < 0 ? 91 : 0);
  }
  ::close(ends[1]);
  const Fd output(ends[0]);
  std::string text(65536, '\0');
  text.resize(read_full(output, std::as_writable_bytes(std::span(text)), "child"));
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  EXPECT_EQ(status, 0);
  return text;
}

struct OverBucket : RestoreBucket {
  OverBucket() {
    put_file(destination / "PG_VERSION", "17\n");
    put_file(destination / "global/pg_control", "old control");
    put_file(destination / "base/1/2619", std::string(3'000'000, 'x'));
    put_file(destination / "base/1/later", "later");
    fs::create_directories(destination / "pg_tblspc");
    fs::create_directories(destination / "pg_wal");
  }
  std::string restore_over(const catalogue::BackupId& id = kRestoreId) {
    info.id = id;
    catalogue.save(info);
    return as_somebody_else(directory.path(), [&]() -> std::string {
      try {
        const CloudRestoreResult result = restore_cloud_backup(
            catalogue, {.id = id, .destination = destination, .delta_restore = true});
        return "restored, kept " + std::to_string(result.kept_bytes.value_or(0));
      } catch (const Error& error) {
        return error.describe_with_hint();
      }
    });
  }
  void expect_unchanged() const {
    EXPECT_EQ(file("global/pg_control"), "old control");
    EXPECT_EQ(file("base/1/later"), "later");
    EXPECT_EQ(get_file(destination / "base/1/2619").size(), 3'000'000U);
    EXPECT_FALSE(fs::exists(destination / ".barman-restoring"));
    EXPECT_FALSE(fs::exists(destination / "postmaster.pid"));
  }
  // As the server of a backup by streaming leaves it.
  void put_manifest(const std::map<std::string, std::string>& files) {
    put(layout.backup_prefix(kRestoreId).append(catalogue::kManifestObject),
        stored::manifest_of(files));
  }
  std::map<std::string, std::string> content() const {
    return {{"PG_VERSION", "17\n"},
            {"base/1/2619", std::string(3'000'000, 'x')},
            {"global/pg_control", "control"},
            {"backup_label", kLabel}};
  }
};

TEST(RestoreOver, KeepsWhatIsRightAndRemovesWhatIsNotInTheBackup) {
  for (const bool has_manifest : {false, true}) {
    OverBucket bucket;
    bucket.add_data(Algorithm::gzip);
    if (has_manifest) bucket.put_manifest(bucket.content());
    put_file(bucket.destination / "base/1/2619", std::string(2'999'999, 'x') + "y");
    EXPECT_THAT(bucket.restore_over(), HasSubstr("restored, kept"));
    EXPECT_EQ(bucket.file("base/1/2619"), std::string(3'000'000, 'x'));
    EXPECT_EQ(bucket.file("global/pg_control"), "control");
    EXPECT_EQ(bucket.file("backup_label"), kLabel);
    EXPECT_FALSE(fs::exists(bucket.destination / "base/1/later"));
    EXPECT_FALSE(fs::exists(bucket.destination / ".barman-restoring"));
  }
}

TEST(RestoreOver, OfADamagedArchiveChangesNothing) {
  for (const bool is_cut : {false, true}) {
    OverBucket bucket;
    bucket.add_data(Algorithm::gzip);
    const std::string key = bucket.layout.archive_key(kRestoreId, {.compression = Algorithm::gzip});
    std::string archive = bucket.get(key);
    if (is_cut) {
      archive.resize(archive.size() / 2);
    } else {
      archive[archive.size() / 2] = static_cast<char>(~archive[archive.size() / 2]);
    }
    bucket.put(key, archive);
    EXPECT_THAT(bucket.restore_over(), AllOf(HasSubstr("data.tar.gz"), HasSubstr("Nothing in '"),
                                             HasSubstr("' was changed.")));
    bucket.expect_unchanged();
  }
}

TEST(RestoreOver, OfLinksChangesNothing) {
  for (const TarMemberType type : {TarMemberType::symlink, TarMemberType::hard_link}) {
    OverBucket bucket;
    bucket.add_data();
    bucket.add_archive({.number = 1}, [&](pipeline::TarWriter& tar) {
      add_link(tar, "base/1/link", type, "base/1/2619");
    });
    EXPECT_THAT(bucket.restore_over(),
                AllOf(HasSubstr("base/1/link\" is a "), HasSubstr("into an empty directory"),
                      HasSubstr("was changed.")));
    bucket.expect_unchanged();
    fs::remove_all(bucket.destination);
    EXPECT_THAT(bucket.restore_over(), HasSubstr("restored"));
  }
}

TEST(RestoreOver, OfIncompleteArchivesChangesNothing) {
  OverBucket without_tablespace;
  without_tablespace.info.tablespaces = {
      {.name = "ts1", .oid = 16384, .location = without_tablespace.directory.path() / "ts"}};
  without_tablespace.add_data();
  EXPECT_THAT(without_tablespace.restore_over(), HasSubstr("16384"));
  without_tablespace.expect_unchanged();

  OverBucket without_label;
  without_label.add_archive({}, [](pipeline::TarWriter& tar) {
    add_file(tar, "./PG_VERSION", "17\n");
    add_file(tar, "global/pg_control", "control");
  });
  EXPECT_THAT(
      without_label.restore_over(),
      AllOf(HasSubstr("none of its archives has \"backup_label\""), HasSubstr("was changed.")));
  without_label.expect_unchanged();

  OverBucket with_doubles;
  with_doubles.add_data();
  with_doubles.add_archive({.number = 1},
                           [](pipeline::TarWriter& tar) { add_file(tar, "base/1/2619", "again"); });
  EXPECT_THAT(with_doubles.restore_over(),
              AllOf(HasSubstr("base/1/2619\" comes twice"), HasSubstr("was changed.")));
  with_doubles.expect_unchanged();
}

TEST(RestoreOver, OfAManifestThatDoesNotFitChangesNothing) {
  OverBucket with_other_content;
  with_other_content.add_data(Algorithm::gzip);
  auto files = with_other_content.content();
  files["base/1/2619"] = std::string(3'000'000, 'z');
  with_other_content.put_manifest(files);
  EXPECT_THAT(
      with_other_content.restore_over(),
      AllOf(HasSubstr("base/1/2619\" is damaged: its checksum is"), HasSubstr("was changed.")));
  with_other_content.expect_unchanged();

  OverBucket with_more;
  with_more.add_data(Algorithm::gzip);
  files = with_more.content();
  files["base/1/1259"] = "missing";
  with_more.put_manifest(files);
  EXPECT_THAT(with_more.restore_over(),
              AllOf(HasSubstr("\"base/1/1259\" is missing"), HasSubstr("was changed.")));
  with_more.expect_unchanged();
}

TEST(RestoreOver, OfTheLabelOfAnotherBackupChangesNothing) {
  OverBucket bucket;
  bucket.info.begin_xlog = wal::Lsn{0x9000028};
  bucket.add_data();
  EXPECT_THAT(bucket.restore_over(), AllOf(HasSubstr("backup_label"), HasSubstr("was changed.")));
  bucket.expect_unchanged();
}

// An archive with an index is read where the destination differs: damage shows late.
TEST(RestoreOver, GoesOnWithAnotherBackup) {
  OverBucket bucket;
  bucket.add_data();
  const catalogue::BackupId damaged{"20261122T014301"};
  const std::string prefix = bucket.layout.backup_prefix(damaged);
  {
    stored::ArchiveSet set(bucket.storage, prefix, 0,
                           {.compression = Algorithm::gzip,
                            .max_archive_bytes = std::uint64_t{1} << 30,
                            .has_index = true});
    pipeline::TarVisitor& archive = set.only_archive();
    const auto add = [&](const std::string& path, const std::string& content) {
      TarMember member;
      member.path = path;
      member.mode = 0600;
      member.size_bytes = content.size();
      archive.begin_member(member);
      archive.write(as_bytes(content));
      archive.end_member();
    };
    add("./PG_VERSION", "17\n");
    std::string noise(6'000'000, '\0');
    std::minstd_rand random(7);
    for (char& letter : noise) letter = static_cast<char>(random() >> 8U);
    add("base/1/2619", noise);
    add("global/pg_control", "control");
    add("./backup_label", kLabel);
    set.finish();
  }
  std::string archive = bucket.get(prefix + "data.tar.gz");
  for (std::size_t i = 0; i < 64; ++i) archive[archive.size() / 2 + i] = 'D';
  bucket.put(prefix + "data.tar.gz", archive);
  EXPECT_THAT(bucket.restore_over(damaged),
              AllOf(HasSubstr("it has no global/pg_control"),
                    HasSubstr("goes on with it with the ID of another backup")));
  EXPECT_FALSE(fs::exists(bucket.destination / "global/pg_control"));
  EXPECT_THAT(bucket.restore_over(), HasSubstr("restored"));
  EXPECT_EQ(bucket.file("base/1/2619"), std::string(3'000'000, 'x'));
  EXPECT_EQ(bucket.file("global/pg_control"), "control");
}

}  // namespace
}  // namespace barman::cloud
