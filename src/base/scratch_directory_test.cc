#include "base/scratch_directory.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <optional>

#include "base/test_support.h"

namespace barman {
namespace {

namespace fs = std::filesystem;

TEST(ScratchDirectory, GoesWithWhatIsInIt) {
  const TemporaryDirectory parent;
  fs::path path;
  {
    const ScratchDirectory scratch(parent.path(), ".part-");
    path = scratch.path();
    EXPECT_EQ(path.parent_path(), parent.path());
    EXPECT_TRUE(path.filename().string().starts_with(".part-"));
    EXPECT_EQ(fs::status(path).permissions(), fs::perms::owner_all);
    put_file(path / "sub/file", "x");
  }
  EXPECT_TRUE(fs::is_empty(parent.path()));
}

TEST(ScratchDirectory, OfAKilledProgramIsRemovedByTheNextOneOfItsNameOnly) {
  const TemporaryDirectory parent;
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const ScratchDirectory scratch(parent.path(), ".part-");
    put_file(scratch.path() / "file", "x");
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  ASSERT_FALSE(fs::is_empty(parent.path()));
  put_file(parent.path() / ".part-file", "no directory");
  put_file(parent.path() / "part-other/file", "another name");
  fs::create_directory_symlink(parent.path() / "part-other", parent.path() / ".part-link");

  std::optional<ScratchDirectory> used(std::in_place, parent.path(), ".part-");
  put_file(used->path() / "file", "x");
  const ScratchDirectory beside(parent.path(), ".part-");
  EXPECT_TRUE(fs::exists(used->path() / "file")) << "somebody uses it";
  EXPECT_EQ(get_file(parent.path() / ".part-file"), "no directory");
  EXPECT_EQ(get_file(parent.path() / "part-other/file"), "another name");
  EXPECT_EQ(std::distance(fs::directory_iterator(parent.path()), fs::directory_iterator()), 5);
}

}  // namespace
}  // namespace barman
