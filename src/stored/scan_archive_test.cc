#include "stored/scan_archive.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "stored/archive_test_support.h"
#include "stored/archive_tree.h"
#include "stored/file_pool.h"

namespace barman::stored {
namespace {

namespace fs = std::filesystem;

// An archive in a directory into which this user may not write, and a temporary directory to watch.
class ScanArchive : public testing::Test {
 protected:
  ScanArchive()
      : archive_(put_archive(directory_.path(), sample_archive(), compression::Algorithm::zstd)) {
    const char* const old = std::getenv("TMPDIR");
    if (old != nullptr) old_temporary_ = old;
    ::setenv("TMPDIR", temporary_.path().c_str(), 1);
    ::chmod(directory_.path().c_str(), 0500);
    // access(2) asks for the real user.
    if (is_root_) is_root_ = ::setreuid(kNobody, static_cast<uid_t>(-1)) == 0;
  }
  ~ScanArchive() override {
    if (is_root_) static_cast<void>(::setreuid(0, static_cast<uid_t>(-1)));
    ::chmod(directory_.path().c_str(), 0700);
    if (old_temporary_.empty()) {
      ::unsetenv("TMPDIR");
    } else {
      ::setenv("TMPDIR", old_temporary_.c_str(), 1);
    }
  }

  static constexpr uid_t kNobody = 65534;
  TemporaryDirectory directory_;
  TemporaryDirectory temporary_;
  std::string old_temporary_;
  bool is_root_ = ::getuid() == 0;
  const ArchiveFile archive_;
};

TEST_F(ScanArchive, KeepsTheIndexInAFileWithoutAName) {
  // What somebody else has put where a name can be guessed does not matter.
  const fs::path guess = temporary_.path() / fmt::format("barman-{}-{}.index", ::getpid(),
                                                         archive_.path.filename().string());
  fs::create_directories(guess / "in the way");
  const ArchiveIndex index = scan_archive(archive_, {});
  EXPECT_TRUE(index.has_random_access());
  EXPECT_TRUE(index.find("global/pg_control"));
  EXPECT_FALSE(fs::exists(archive_.index_path()));
  EXPECT_EQ(std::distance(fs::directory_iterator(temporary_.path()), {}), 1) << "only our own";
}

TEST_F(ScanArchive, CanBeReadWhenManyOtherFilesWereOpened) {
  const ArchiveIndex index = scan_archive(archive_, {});
  std::vector<std::unique_ptr<PooledFile>> others;
  for (std::size_t i = 0; i < kMostOpenFiles + 1; ++i) {
    others.push_back(
        std::make_unique<PooledFile>(open_file(archive_.path, O_RDONLY), archive_.path));
  }
  std::size_t count = 0;
  index.for_each([&](const pipeline::TarMember&) { ++count; });
  EXPECT_EQ(count, sample_archive().files.size() + sample_archive().directories.size());
}

TEST_F(ScanArchive, LeavesNothingBehindWhenTheArchiveIsDamaged) {
  fs::resize_file(archive_.path, fs::file_size(archive_.path) / 2);
  EXPECT_THROW(scan_archive(archive_, {}), Error);
  EXPECT_TRUE(fs::is_empty(temporary_.path()));
}

}  // namespace
}  // namespace barman::stored
