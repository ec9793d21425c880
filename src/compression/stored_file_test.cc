#include "compression/stored_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <csignal>

#include "base/anonymous_file.h"
#include "compression/codec.h"
#include "compression/test_support.h"

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
  const Fd packed = memory_file("");
  const std::uint64_t size =
      compress_file(memory_file("the content"), Algorithm::lz4, packed.get());
  EXPECT_EQ(content_of(packed).size(), size);
  TextSink text("u");
  push_file(packed, "p", *make_decompressor(Algorithm::lz4, text, "p"));
  EXPECT_EQ(text.take(), "the content");
}

TEST(StoredFile, GoneReaderIsAnErrorOfItsOwn) {
  ::signal(SIGPIPE, SIG_IGN);
  std::array<int, 2> fds = {};
  ASSERT_EQ(::pipe(fds.data()), 0);
  const Fd writer(fds[1]);
  ::close(fds[0]);
  const Fd plain = memory_file("the content");
  EXPECT_THROW(compress_file(plain, Algorithm::gzip, writer.get()), ReaderGone);
}

TEST(StoredFile, ContentThatGrowsForEverIsStopped) {
  const Fd target = memory_file("");
  FdSink sink(target.get(), "target", 1000);
  const Fd packed = memory_file("");
  compress_file(memory_file(std::string(100000, 'x')), Algorithm::gzip, packed.get());
  const auto decompressor = make_decompressor(Algorithm::gzip, sink, "packed");
  EXPECT_THROW(push_file(packed, "packed", *decompressor), Error);
}

TEST(StoredFile, TextsAreSmall) {
  TextSink text("00000002.history", 10);
  push_file(memory_file("0123456789"), "plain", text);
  EXPECT_THROW(text.write(as_bytes("x")), Error);
  EXPECT_EQ(text.take(), "0123456789");
}

}  // namespace
}  // namespace barman::compression
