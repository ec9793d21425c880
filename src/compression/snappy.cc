// The framing format of snappy (framing_format.txt of the snappy sources): an identifier, then
// chunks of at most 64 KiB of data, each with its CRC-32C. The library knows the chunks' content
// only, so the frames are made and read here.
#include <snappy.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "base/digest.h"
#include "compression/codecs.h"

namespace barman::compression {
namespace {

using namespace std::string_view_literals;

constexpr std::size_t kChunkSize = 65536;
constexpr std::size_t kHeaderSize = 4;
constexpr std::size_t kChecksumSize = 4;
// The largest body of a chunk that we take in: what a chunk of data may have at most.
constexpr std::size_t kMaxBody = kChecksumSize + 76490;
constexpr std::string_view kIdentifier = "\xff\x06\x00\x00sNaPpY"sv;
constexpr std::string_view kIdentifierBody = "sNaPpY"sv;

enum ChunkType : unsigned {
  kCompressed = 0x00,
  kUncompressed = 0x01,
  kFirstSkippable = 0x80,
  kStreamIdentifier = 0xFF,
};

std::uint32_t masked_checksum(Bytes data) {
  const std::uint32_t crc = crc32c_finish(crc32c_extend(kCrc32cInitial, data));
  return ((crc >> 15U) | (crc << 17U)) + 0xA282EAD8U;
}

void put_little_endian(std::uint64_t value, std::size_t size, std::byte* to) {
  for (std::size_t i = 0; i < size; ++i) to[i] = static_cast<std::byte>(value >> (8 * i));
}

std::uint32_t get_little_endian(Bytes bytes) {
  std::uint32_t value = 0;
  for (std::size_t i = bytes.size(); i > 0; --i) {
    value = (value << 8U) | std::to_integer<std::uint32_t>(bytes[i - 1]);
  }
  return value;
}

class SnappyCompressor final : public Sink {
 public:
  explicit SnappyCompressor(Sink& next)
      : next_(next),
        output_(kHeaderSize + kChecksumSize +
                std::max(::snappy::MaxCompressedLength(kChunkSize), kChunkSize)) {}

  void write(Bytes data) override {
    begin();
    while (!data.empty()) {
      if (pending_.empty() && data.size() >= kChunkSize) {
        write_chunk(data.first(kChunkSize));
        data = data.subspan(kChunkSize);
        continue;
      }
      const Bytes piece = data.first(std::min(data.size(), kChunkSize - pending_.size()));
      pending_.insert(pending_.end(), piece.begin(), piece.end());
      data = data.subspan(piece.size());
      if (pending_.size() == kChunkSize) flush();
    }
  }

  void finish() override {
    begin();
    if (!pending_.empty()) flush();
    next_.finish();
  }

 private:
  void begin() {
    if (has_begun_) return;
    has_begun_ = true;
    next_.write(as_bytes(kIdentifier));
  }

  void flush() {
    write_chunk(pending_);
    pending_.clear();
  }

  void write_chunk(Bytes data) {
    std::byte* const content = output_.data() + kHeaderSize + kChecksumSize;
    std::size_t size = 0;
    ::snappy::RawCompress(as_text(data).data(), data.size(), reinterpret_cast<char*>(content),
                          &size);
    // As the format advises: what hardly shrinks is stored as it is.
    const bool is_worth_it = size < data.size() - data.size() / 8;
    if (!is_worth_it) {
      std::copy(data.begin(), data.end(), content);
      size = data.size();
    }
    output_[0] = static_cast<std::byte>(is_worth_it ? kCompressed : kUncompressed);
    put_little_endian(kChecksumSize + size, 3, output_.data() + 1);
    put_little_endian(masked_checksum(data), kChecksumSize, output_.data() + kHeaderSize);
    next_.write(Bytes(output_).first(kHeaderSize + kChecksumSize + size));
  }

  Sink& next_;
  std::vector<std::byte> pending_;
  std::vector<std::byte> output_;
  bool has_begun_ = false;
};

class SnappyDecompressor final : public Sink {
 public:
  SnappyDecompressor(Sink& next, std::string source_name)
      : next_(next), source_name_(std::move(source_name)), output_(kChunkSize) {
    chunk_.reserve(kHeaderSize + kMaxBody);
  }

  void write(Bytes data) override {
    while (!data.empty()) {
      if (skipped_ > 0) {
        const std::size_t size = std::min(data.size(), skipped_);
        skipped_ -= size;
        data = data.subspan(size);
        continue;
      }
      const Bytes piece = data.first(std::min(data.size(), wanted() - chunk_.size()));
      chunk_.insert(chunk_.end(), piece.begin(), piece.end());
      data = data.subspan(piece.size());
      // The header tells how much more the chunk has.
      if (chunk_.size() == kHeaderSize) begin_chunk();
      if (chunk_.size() >= kHeaderSize && chunk_.size() == wanted()) end_chunk();
    }
  }

  void finish() override {
    if (!has_identifier_ || !chunk_.empty() || skipped_ > 0) throw_cut_off(source_name_);
    next_.finish();
  }

 private:
  unsigned type() const { return std::to_integer<unsigned>(chunk_[0]); }
  std::size_t body_size() const { return get_little_endian(Bytes(chunk_).subspan(1, 3)); }
  std::size_t wanted() const {
    return chunk_.size() < kHeaderSize ? kHeaderSize : kHeaderSize + body_size();
  }

  void begin_chunk() {
    if (!has_identifier_ && type() != kStreamIdentifier) {
      throw_damaged(source_name_, "its snappy data does not begin with the identifier");
    }
    if (type() >= kFirstSkippable && type() != kStreamIdentifier) {
      skipped_ = body_size();
      chunk_.clear();
    } else if (type() > kUncompressed && type() < kFirstSkippable) {
      throw_damaged(source_name_, "its snappy data has a chunk of unknown type");
    } else if (body_size() > kMaxBody) {
      throw_damaged(source_name_, "its snappy data has a chunk that is too large");
    }
  }

  void end_chunk() {
    const Bytes body = Bytes(chunk_).subspan(kHeaderSize);
    if (type() == kStreamIdentifier) {
      if (as_text(body) != kIdentifierBody) throw_damaged(source_name_, "it is no snappy data");
      has_identifier_ = true;
    } else {
      if (body.size() < kChecksumSize) throw_damaged(source_name_, "a snappy chunk is too short");
      const Bytes content = unpack(body.subspan(kChecksumSize));
      if (masked_checksum(content) != get_little_endian(body.first(kChecksumSize))) {
        throw_damaged(source_name_, "the checksum of its snappy data is wrong");
      }
      if (!content.empty()) next_.write(content);
    }
    chunk_.clear();
  }

  Bytes unpack(Bytes body) {
    if (type() == kUncompressed) {
      if (body.size() > kChunkSize) throw_damaged(source_name_, "a snappy chunk is too large");
      return body;
    }
    std::size_t size = 0;
    const std::string_view text = as_text(body);
    if (!::snappy::GetUncompressedLength(text.data(), text.size(), &size) || size > kChunkSize ||
        !::snappy::RawUncompress(text.data(), text.size(),
                                 reinterpret_cast<char*>(output_.data()))) {
      throw_damaged(source_name_, "its snappy data cannot be decompressed");
    }
    return Bytes(output_).first(size);
  }

  Sink& next_;
  const std::string source_name_;
  std::vector<std::byte> chunk_;
  std::vector<std::byte> output_;
  std::size_t skipped_ = 0;
  bool has_identifier_ = false;
};

}  // namespace

std::unique_ptr<Sink> make_snappy_compressor(Sink& next) {
  return std::make_unique<SnappyCompressor>(next);
}

std::unique_ptr<Sink> make_snappy_decompressor(Sink& next, std::string source_name) {
  return std::make_unique<SnappyDecompressor>(next, std::move(source_name));
}

}  // namespace barman::compression
