#include "compression/stored_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <csignal>

#include "base/anonymous_file.h"
#include "compression/codec.h"

namespace barman::compression {
namespace {

Fd memory_file(std::string_view content) {
  Fd fd = open_anonymous_file(std::filesystem::temp_directory_path());
  write_full(fd, as_bytes(content), "file");
  return fd;
}

std::string content_of(const Fd& fd) {
  std::string text(1 << 20, '\0');
  text.resize(read_full_at(fd, std::as_writable_bytes(std::span(text)), 0, "file"));
  return text;
}

TEST(StoredFile, GoesThroughAFormatAndBack) {
  const Fd plain = memory_file("the content");
  const Fd packed = memory_file("");
  const Fd unpacked = memory_file("");
  const std::uint64_t size = compress_file(plain, "plain", Algorithm::lz4, 0, packed.get(), "p");
  EXPECT_EQ(content_of(packed).size(), size);
  EXPECT_EQ(decompress_file(packed, "p", Algorithm::lz4, unpacked.get(), "u"), 11U);
  EXPECT_EQ(content_of(unpacked), "the content");
}

TEST(StoredFile, GoneReaderIsAnErrorOfItsOwn) {
  ::signal(SIGPIPE, SIG_IGN);
  std::array<int, 2> fds = {};
  ASSERT_EQ(::pipe(fds.data()), 0);
  const Fd writer(fds[1]);
  ::close(fds[0]);
  const Fd plain = memory_file("the content");
  EXPECT_THROW(compress_file(plain, "plain", Algorithm::gzip, 1, writer.get(), "pipe"), ReaderGone);
}

TEST(StoredFile, ContentThatGrowsForEverIsStopped) {
  const Fd target = memory_file("");
  FdSink sink(target.get(), "target", 1000);
  const auto compressor = make_compressor(Algorithm::gzip, 1, sink);
  const Fd packed = memory_file("");
  compress_file(memory_file(std::string(100000, 'x')), "plain", Algorithm::gzip, 1, packed.get(),
                "packed");
  const auto decompressor = make_decompressor(Algorithm::gzip, sink, "packed");
  EXPECT_THROW(push_file(packed, "packed", *decompressor), Error);
}

TEST(StoredFile, SmallTextsMayBeCompressedOrNot) {
  const Fd packed = memory_file("");
  compress_file(memory_file("1\t0/3000000\tno reason"), "plain", Algorithm::xz, 1, packed.get(),
                "p");
  EXPECT_EQ(decompress_text(content_of(packed), "00000002.history"), "1\t0/3000000\tno reason");
  EXPECT_EQ(decompress_text("1\t0/3000000", "00000002.history"), "1\t0/3000000");
}

}  // namespace
}  // namespace barman::compression
