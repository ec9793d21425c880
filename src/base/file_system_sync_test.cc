#include "base/file_system_sync.h"

#include <fcntl.h>

#include <gtest/gtest.h>

#include "base/durable.h"

namespace barman {
namespace {

TEST(FileSystemSync, TrustsKernelsThatReportErrors) {
  for (const char* release : {"5.8.0", "5.10.0-8-amd64", "6.1.0-28-amd64", "10.0"}) {
    EXPECT_TRUE(reports_write_errors(release)) << release;
  }
  for (const char* release : {"4.19.0-21-amd64", "5.7.19", "5", "5.", "", "unknown", ".8"}) {
    EXPECT_FALSE(reports_write_errors(release)) << release;
  }
}

TEST(FileSystemSync, CoversItsOwnFileSystemOnly) {
  const FileSystemSync memory("/dev/shm");
  const std::filesystem::path other = "/proc";
  EXPECT_FALSE(memory.covers(open_file(other, O_RDONLY | O_DIRECTORY), other));
  // What cannot be covered is not, even if it is the same.
  const FileSystemSync unknown(other);
  EXPECT_FALSE(unknown.covers(open_file(other, O_RDONLY | O_DIRECTORY), other));
  EXPECT_NO_THROW(memory.sync());
}

}  // namespace
}  // namespace barman
