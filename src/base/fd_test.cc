#include "base/fd.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/durable.h"
#include "base/error.h"
#include "base/file_lock.h"
#include "base/test_support.h"

namespace barman {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

std::string refusal_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.message();
  }
  return "";
}

class ForeignFile : public testing::Test {
 protected:
  fs::path path(const std::string& name) const { return directory_.path() / name; }
  fs::path make_fifo() const {
    EXPECT_EQ(::mkfifo(path("fifo").c_str(), 0600), 0);
    return path("fifo");
  }
  fs::path make_link() const {
    put_file(path("target"), "precious");
    fs::create_symlink(path("target"), path("link"));
    return path("link");
  }
  TemporaryDirectory directory_;
};

// None of these waits for the other end.
TEST_F(ForeignFile, IsRefusedInsteadOfWaitedFor) {
  const fs::path fifo = make_fifo();
  EXPECT_THAT(refusal_of([&] { open_file(fifo, O_RDONLY); }), HasSubstr("it is a FIFO"));
  EXPECT_THAT(refusal_of([&] { open_file(fifo, O_WRONLY | O_CREAT); }), HasSubstr("it is a FIFO"));
  EXPECT_THAT(refusal_of([&] { find_file(fifo, Links::follow); }), HasSubstr("it is a FIFO"));
  EXPECT_THAT(refusal_of([&] { read_file(fifo); }), HasSubstr("it is a FIFO"));
  EXPECT_THAT(refusal_of([&] { FileLock::try_lock(fifo); }), HasSubstr("it is a FIFO"));
  EXPECT_THAT(refusal_of([&] { FileLock::holder(fifo); }), HasSubstr("it is a FIFO"));
}

TEST_F(ForeignFile, IsToldWhenItIsADirectory) {
  fs::create_directory(path("directory"));
  const fs::path directory = path("directory");
  EXPECT_THAT(refusal_of([&] { read_file(directory); }), HasSubstr("it is a directory"));
  EXPECT_THAT(refusal_of([&] { find_and_read_file(directory); }), HasSubstr("it is a directory"));
  EXPECT_THAT(refusal_of([&] { open_file(directory, O_RDWR); }), HasSubstr("it is a directory"));
  EXPECT_TRUE(open_file(directory, O_RDONLY | O_DIRECTORY).is_open());
}

TEST_F(ForeignFile, OfTheKindLinkIsFollowedOnlyWhereAUserNamesIt) {
  const fs::path link = make_link();
  EXPECT_THAT(refusal_of([&] { open_file(link, O_WRONLY | O_TRUNC); }),
              HasSubstr("it is a symbolic link"));
  EXPECT_THAT(refusal_of([&] { find_and_read_file(link); }), HasSubstr("it is a symbolic link"));
  EXPECT_THAT(refusal_of([&] { FileLock::try_lock(link); }), HasSubstr("it is a symbolic link"));
  EXPECT_EQ(read_file(link, kMaxSmallFile, Links::follow), "precious");
  fs::create_symlink(path("nowhere"), path("dangling"));
  EXPECT_THAT(refusal_of([&] { find_file(path("dangling")); }), HasSubstr("symbolic link"));
  EXPECT_FALSE(find_file(path("dangling"), Links::follow));
}

TEST_F(ForeignFile, UnderATemporaryNameIsReplacedAndItsTargetStays) {
  const fs::path link = make_link();
  fs::rename(link, path("new.tmp"));
  write_file_durably(path("new"), "content");
  EXPECT_EQ(read_file(path("new")), "content");
  EXPECT_EQ(read_file(path("target")), "precious");
  ASSERT_EQ(::mkfifo(path("other.tmp").c_str(), 0600), 0);
  write_file_durably(path("other"), "content");
  EXPECT_EQ(read_file(path("other")), "content");
}

TEST_F(ForeignFile, DirectoriesBehindLinksAreOpened) {
  fs::create_directory(path("disk"));
  fs::create_directory_symlink(path("disk"), path("home"));
  write_file_durably(path("home/file"), "content");
  EXPECT_EQ(read_file(path("disk/file")), "content");
  sync_directory(path("home"));
}

TEST_F(ForeignFile, DevicesAndDescriptorsAreOpenedByTheirNames) {
  EXPECT_TRUE(open_file("/dev/null", O_RDWR).is_open());
  std::array<int, 2> ends = {};
  ASSERT_EQ(::pipe(ends.data()), 0);
  Fd writer(ends[1]);
  const Fd reader(ends[0]);
  write_full(writer, as_bytes("words"), "pipe");
  writer = Fd();
  const fs::path name = fs::path("/dev/fd") / std::to_string(reader.get());
  EXPECT_EQ(read_file(name, kMaxSmallFile, Links::follow), "words");
}

TEST_F(ForeignFile, StatusThatCannotBeToldIsNoAbsence) {
  EXPECT_FALSE(find_status(path("nothing")));
  put_file(path("file"), "x");
  EXPECT_FALSE(find_status(path("file") / "below"));
  EXPECT_EQ(find_status(path("file"))->st_size, 1);
  EXPECT_THROW(find_status(path(std::string(300, 'x'))), SystemError);
}

}  // namespace
}  // namespace barman
