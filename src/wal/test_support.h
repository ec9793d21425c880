// WAL made for tests: records with correct headers and checksums, page by page.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "base/digest.h"
#include "base/fd.h"
#include "wal/wal_file_name.h"

namespace barman::wal {

inline constexpr std::uint64_t kSegment = std::uint64_t{1} << 20;
inline constexpr std::size_t kPage = 8192;
inline constexpr std::uint64_t kSystem = 7710433624940005412;

template <typename T>
void store(std::string& text, std::size_t offset, T value) {
  std::memcpy(text.data() + offset, &value, sizeof value);
}

// Writes WAL as PostgreSQL lays it out, from the beginning of segment 1.
class WalBuilder {
 public:
  explicit WalBuilder(std::uint64_t segment = kSegment) : segment_(segment) {}

  std::uint64_t position() const { return segment_ + bytes_.size(); }
  // Of the next record.
  std::uint64_t next_record() {
    if (bytes_.size() % kPage == 0) add_page_header(0);
    return position();
  }

  void add_record(std::size_t payload_size, std::uint8_t manager = 10, std::uint8_t info = 0) {
    std::string payload(payload_size, '\0');
    for (std::size_t i = 0; i < payload.size(); ++i) {
      payload[i] = static_cast<char>((i + 24) * 7 + 1);
    }
    add_record_with(payload, manager, info);
  }
  void add_record_with(std::string_view payload, std::uint8_t manager, std::uint8_t info,
                       std::uint32_t transaction = 0) {
    std::string record(24, '\0');
    record += payload;
    const std::uint64_t begin = next_record();
    store(record, 0, static_cast<std::uint32_t>(record.size()));
    store(record, 4, transaction);
    store(record, 8, previous_);
    store(record, 16, info);
    store(record, 17, manager);
    const std::string_view view = record;
    std::uint32_t crc = crc32c_extend(kCrc32cInitial, as_bytes(view.substr(24)));
    crc = crc32c_finish(crc32c_extend(crc, as_bytes(view.substr(0, 20))));
    store(record, 20, crc);
    previous_ = begin;
    append(record);
    bytes_.resize((bytes_.size() + 7) & ~std::size_t{7});
  }
  void add_switch() {
    add_record(0, 0, 0x40);
    bytes_.resize((bytes_.size() + segment_ - 1) / segment_ * segment_);
  }
  std::string& bytes() { return bytes_; }

 private:
  void append(const std::string& record) {
    std::size_t done = 0;
    while (done < record.size()) {
      if (bytes_.size() % kPage == 0) {
        add_page_header(static_cast<std::uint32_t>(record.size() - done));
      }
      const std::size_t size = std::min(record.size() - done, kPage - bytes_.size() % kPage);
      bytes_.append(record, done, size);
      done += size;
    }
  }
  void add_page_header(std::uint32_t remaining) {
    const bool is_long = bytes_.size() % segment_ == 0;
    std::string header(is_long ? 40 : 24, '\0');
    store(header, 0, std::uint16_t{0xD110});
    store(header, 2, static_cast<std::uint16_t>((remaining > 0 ? 1 : 0) | (is_long ? 2 : 0)));
    store(header, 4, std::uint32_t{1});
    store(header, 8, position());
    store(header, 16, remaining);
    if (is_long) {
      store(header, 24, kSystem);
      store(header, 32, static_cast<std::uint32_t>(segment_));
      store(header, 36, static_cast<std::uint32_t>(kPage));
    }
    bytes_ += header;
  }

  std::uint64_t segment_;
  std::string bytes_;
  std::uint64_t previous_ = 0;
};

// A whole segment for tests that do not look at records: the header that its name asks for, `text`,
// and zeroes.
struct SegmentContent {
  std::string_view text{};
  std::uint64_t system_id = kSystem;
  std::uint64_t size_bytes = kSegment;
};
inline std::string make_segment(std::string_view name, const SegmentContent& content = {}) {
  const SegmentSize size{content.size_bytes};
  const Segment segment = parse_segment_name(name.substr(0, 24), size).value();
  std::string bytes(content.size_bytes, '\0');
  store(bytes, 0, std::uint16_t{0xD110});
  store(bytes, 2, std::uint16_t{2});
  store(bytes, 4, segment.timeline.value);
  store(bytes, 8, segment_begin(segment, size).value);
  store(bytes, 24, content.system_id);
  store(bytes, 32, static_cast<std::uint32_t>(content.size_bytes));
  store(bytes, 36, static_cast<std::uint32_t>(kPage));
  bytes.replace(40, content.text.size(), content.text);
  return bytes;
}
// What make_segment() was given.
inline std::string text_of_segment(const std::string& bytes) {
  return bytes.size() < 40 ? bytes : std::string(bytes.c_str() + 40);
}

}  // namespace barman::wal
