// Compressed images of pages: nothing may crash or write elsewhere, and pglz gives what a simple
// reader of the same format gives.
//   first two bytes: form, and how large the page is; the rest: what is compressed
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "compression/page_image.h"
#include "fuzz_target.h"

namespace {

// nullopt: damaged, or not of that size.
std::optional<std::string> simple_pglz(std::string_view from, std::size_t size) {
  std::string page;
  std::size_t at = 0;
  const auto byte_at = [&](std::size_t place) { return static_cast<unsigned char>(from[place]); };
  while (at < from.size() && page.size() < size) {
    const unsigned bits = byte_at(at++);
    for (unsigned item = 0; item < 8 && at < from.size() && page.size() < size; ++item) {
      if ((bits >> item & 1U) == 0) {
        page += from[at++];
        continue;
      }
      if (at + 2 > from.size()) return std::nullopt;
      std::size_t length = (byte_at(at) & 15U) + 3;
      const std::size_t distance = (byte_at(at) >> 4U) * 256 + byte_at(at + 1);
      at += 2;
      if (length == 18) {
        if (at == from.size()) return std::nullopt;
        length += byte_at(at++);
      }
      if (distance == 0 || distance > page.size()) return std::nullopt;
      for (; length > 0 && page.size() < size; --length) page += page[page.size() - distance];
    }
  }
  if (at != from.size() || page.size() != size) return std::nullopt;
  return page;
}

}  // namespace

BARMAN_FUZZ_TARGET(pglz) {
  using namespace barman;
  using compression::PageCompression;
  if (size < 2) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 2, size - 2);
  const auto form = static_cast<PageCompression>(data[0] % 3U);
  // ',' is 12 bytes.
  const auto units = static_cast<std::uint8_t>(data[1] - ' ');
  std::string page(units * (data[0] / 3U % 2 == 0 ? 1U : 32U), '\0');
  const bool is_whole =
      compression::decompress_page(form, as_bytes(rest), std::as_writable_bytes(std::span(page)));
  if (form != PageCompression::pglz) return 0;
  const std::optional<std::string> expected = simple_pglz(rest, page.size());
  if (is_whole != expected.has_value() || (is_whole && page != *expected)) std::abort();
  return 0;
}
