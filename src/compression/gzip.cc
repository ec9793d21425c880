// gzip (RFC 1952). Compression by libdeflate, which takes whole buffers, so the stream becomes a
// row of members of a few megabytes, as the format allows; decompression by ISA-L, which streams.
#include <isa-l/igzip_lib.h>
#include <libdeflate.h>

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "compression/codecs.h"

namespace barman::compression {
namespace {

constexpr std::size_t kMemberSize = std::size_t{4} << 20;
constexpr std::byte kMagic{0x1f};

class GzipCompressor final : public Sink {
 public:
  GzipCompressor(int level, Sink& next)
      : next_(next), compressor_(::libdeflate_alloc_compressor(level)) {
    if (!compressor_) throw_codec_failure("libdeflate");
  }

  void write(Bytes data) override {
    while (!data.empty()) {
      // What comes in large pieces is not copied first.
      if (pending_.empty() && data.size() >= kMemberSize) {
        compress(data.first(kMemberSize));
        data = data.subspan(kMemberSize);
        continue;
      }
      const Bytes piece = data.first(std::min(data.size(), kMemberSize - pending_.size()));
      pending_.insert(pending_.end(), piece.begin(), piece.end());
      data = data.subspan(piece.size());
      if (pending_.size() == kMemberSize) flush();
    }
  }

  void finish() override {
    if (!pending_.empty() || !has_member_) flush();
    next_.finish();
  }

 private:
  struct Free {
    void operator()(libdeflate_compressor* compressor) const {
      ::libdeflate_free_compressor(compressor);
    }
  };

  void flush() {
    compress(pending_);
    pending_.clear();
  }

  void compress(Bytes data) {
    output_.resize(::libdeflate_gzip_compress_bound(compressor_.get(), data.size()));
    const std::size_t size = ::libdeflate_gzip_compress(compressor_.get(), data.data(), data.size(),
                                                        output_.data(), output_.size());
    if (size == 0) throw_codec_failure("libdeflate");
    next_.write(Bytes(output_).first(size));
    has_member_ = true;
  }

  Sink& next_;
  std::unique_ptr<libdeflate_compressor, Free> compressor_;
  std::vector<std::byte> pending_;
  std::vector<std::byte> output_;
  bool has_member_ = false;
};

// One member, however long: by ISA-L, which streams.
class GzipStreamCompressor final : public Sink {
 public:
  explicit GzipStreamCompressor(Sink& next)
      : next_(next), level_buffer_(ISAL_DEF_LVL3_DEFAULT), output_(kCodecBuffer) {
    ::isal_deflate_init(&stream_);
    stream_.level = 3;
    stream_.level_buf = level_buffer_.data();
    stream_.level_buf_size = static_cast<std::uint32_t>(level_buffer_.size());
    stream_.gzip_flag = IGZIP_GZIP;
    stream_.flush = NO_FLUSH;
  }

  void write(Bytes data) override {
    while (!data.empty()) {
      const Bytes piece = data.first(std::min(data.size(), kCodecBuffer));
      deflate(piece);
      data = data.subspan(piece.size());
    }
  }

  void finish() override {
    stream_.end_of_stream = 1;
    deflate({});
    next_.finish();
  }

 private:
  void deflate(Bytes data) {
    // The library does not write to its input.
    stream_.next_in = const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(data.data()));
    stream_.avail_in = static_cast<std::uint32_t>(data.size());
    do {
      stream_.next_out = reinterpret_cast<std::uint8_t*>(output_.data());
      stream_.avail_out = static_cast<std::uint32_t>(output_.size());
      if (::isal_deflate(&stream_) != COMP_OK) throw_codec_failure("ISA-L");
      const Bytes produced = Bytes(output_).first(output_.size() - stream_.avail_out);
      if (!produced.empty()) next_.write(produced);
    } while (stream_.avail_in > 0 || stream_.avail_out == 0);
  }

  Sink& next_;
  isal_zstream stream_ = {};
  std::vector<std::uint8_t> level_buffer_;
  std::vector<std::byte> output_;
};

class GzipDecompressor final : public Sink {
 public:
  GzipDecompressor(Sink& next, std::string source_name, FrameEnd on_frame_end)
      : next_(next),
        source_name_(std::move(source_name)),
        on_frame_end_(std::move(on_frame_end)),
        state_(std::make_unique<inflate_state>()),
        output_(kCodecBuffer) {
    begin_member();
  }

  void write(Bytes data) override {
    while (!data.empty()) {
      if (is_between_members_) {
        data = begin_next_member(data);
        continue;
      }
      const std::size_t size = std::min(data.size(), kCodecBuffer);
      data = data.subspan(inflate(data.first(size)));
      if (is_between_members_ && on_frame_end_) on_frame_end_(data.size());
    }
  }

  void finish() override {
    if (!is_between_members_) throw_cut_off(source_name_);
    next_.finish();
  }

 private:
  void begin_member() {
    ::isal_inflate_init(state_.get());
    state_->crc_flag = ISAL_GZIP;
    is_between_members_ = false;
  }

  // Zeroes fill up blocks of tapes; anything else must be another member.
  Bytes begin_next_member(Bytes data) {
    const auto* begin = std::find_if(data.data(), data.data() + data.size(),
                                     [](std::byte byte) { return byte != std::byte{0}; });
    data = data.subspan(static_cast<std::size_t>(begin - data.data()));
    if (data.empty()) return data;
    if (data.front() != kMagic) throw_damaged(source_name_, "other data follows the gzip data");
    begin_member();
    return data;
  }

  // Returns how much was consumed: all, unless the member has ended.
  std::size_t inflate(Bytes data) {
    // The library does not write to its input.
    state_->next_in = const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(data.data()));
    state_->avail_in = static_cast<std::uint32_t>(data.size());
    do {
      state_->next_out = reinterpret_cast<std::uint8_t*>(output_.data());
      state_->avail_out = static_cast<std::uint32_t>(output_.size());
      const int result = ::isal_inflate(state_.get());
      if (result < 0 || result == ISAL_NEED_DICT) {
        throw_damaged(source_name_, result == ISAL_INCORRECT_CHECKSUM
                                        ? "the checksum of its gzip data is wrong"
                                        : "its gzip data cannot be decompressed");
      }
      const Bytes produced = Bytes(output_).first(output_.size() - state_->avail_out);
      if (!produced.empty()) next_.write(produced);
      is_between_members_ = state_->block_state == ISAL_BLOCK_FINISH;
    } while (!is_between_members_ && (state_->avail_in > 0 || state_->avail_out == 0));
    return data.size() - state_->avail_in;
  }

  Sink& next_;
  const std::string source_name_;
  const FrameEnd on_frame_end_;
  std::unique_ptr<inflate_state> state_;
  std::vector<std::byte> output_;
  bool is_between_members_ = false;
};

}  // namespace

std::unique_ptr<Sink> make_gzip_compressor(int level, Sink& next) {
  return std::make_unique<GzipCompressor>(level, next);
}

std::unique_ptr<Sink> make_gzip_stream_compressor(Sink& next) {
  return std::make_unique<GzipStreamCompressor>(next);
}

std::unique_ptr<Sink> make_gzip_decompressor(Sink& next, std::string source_name,
                                             FrameEnd on_frame_end) {
  return std::make_unique<GzipDecompressor>(next, std::move(source_name), std::move(on_frame_end));
}

}  // namespace barman::compression
