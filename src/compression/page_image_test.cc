#include "compression/page_image.h"

#include <lz4.h>
#include <zstd.h>

#include <optional>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace barman::compression {
namespace {

using std::string_literals::operator""s;

std::optional<std::string> decompressed(PageCompression form, std::string_view bytes,
                                        std::size_t size) {
  std::string page(size, '\0');
  if (!decompress_page(form, as_bytes(bytes), std::as_writable_bytes(std::span(page))))
    return std::nullopt;
  return page;
}
std::optional<std::string> of_pglz(std::string_view bytes, std::size_t size) {
  return decompressed(PageCompression::pglz, bytes, size);
}

TEST(PageImage, ReadsPglz) {
  EXPECT_EQ(of_pglz("\x00"
                    "abc"s,
                    3),
            "abc");
  // A copy of nine bytes, three back; it copies what it writes.
  EXPECT_EQ(of_pglz("\x08"
                    "abc\x06\x03",
                    12),
            "abcabcabcabc");
  // A length with a byte of its own, and a new byte of bits behind eight items.
  EXPECT_EQ(of_pglz("\x02"
                    "a\x0F\x01\x05"
                    "bcdefg\x01\x00\x02"s,
                    1 + 18 + 5 + 6 + 3),
            "a" + std::string(23, 'a') + "bcdefgfgf");
  // A distance of more than a byte.
  std::string far(
      "\x00"
      "12345678"s);
  for (int i = 0; i < 32; ++i) far += "\x00"s + "ABCDEFGH";
  far += "\x01\x15\x08";
  EXPECT_EQ(of_pglz(far, 264 + 8)->substr(264), "12345678");
}

TEST(PageImage, RefusesDamagedPglz) {
  const std::string good =
      "\x08"
      "abc\x06\x03";
  EXPECT_TRUE(of_pglz(good, 12));
  EXPECT_FALSE(of_pglz(good, 13));
  EXPECT_FALSE(of_pglz(good + "x", 12));
  for (std::size_t size = 0; size < good.size(); ++size)
    EXPECT_FALSE(of_pglz(good.substr(0, size), 12)) << size;
  // From in front of the beginning, and from nowhere.
  EXPECT_FALSE(
      of_pglz("\x08"
              "abc\x06\x04",
              12));
  EXPECT_FALSE(
      of_pglz("\x08"
              "abc\x06\x00"s,
              12));
  EXPECT_FALSE(
      of_pglz("\x02"
              "a\x0F\x01",
              19));
}

TEST(PageImage, ReadsWhatTheLibrariesWrite) {
  const std::string page = "head" + std::string(5000, 'x') + "tail";
  std::string lz4(static_cast<std::size_t>(::LZ4_compressBound(static_cast<int>(page.size()))),
                  '\0');
  lz4.resize(static_cast<std::size_t>(::LZ4_compress_default(
      page.data(), lz4.data(), static_cast<int>(page.size()), static_cast<int>(lz4.size()))));
  std::string zstd(::ZSTD_compressBound(page.size()), '\0');
  zstd.resize(::ZSTD_compress(zstd.data(), zstd.size(), page.data(), page.size(), 3));
  for (const auto& [form, bytes] :
       {std::pair(PageCompression::lz4, lz4), std::pair(PageCompression::zstd, zstd)}) {
    EXPECT_EQ(decompressed(form, bytes, page.size()), page);
    EXPECT_FALSE(decompressed(form, bytes, page.size() - 1));
    EXPECT_FALSE(decompressed(form, bytes, page.size() + 1));
    EXPECT_FALSE(decompressed(form, bytes.substr(0, bytes.size() - 1), page.size()));
  }
}

}  // namespace
}  // namespace barman::compression
