#include "compression/piece_codec.h"

#include <isa-l/crc.h>
#include <isa-l/igzip_lib.h>
#include <lz4frame.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <vector>

#include "compression/codecs.h"
#include "compression/xxh64.h"
#include "compression/xz_pieces.h"

namespace barman::compression {
namespace {

using namespace std::string_view_literals;

// Deflate, no name, no time; Unix.
constexpr std::string_view kGzipHead = "\x1f\x8b\x08\0\0\0\0\0\0\x03"sv;
// A last block without content.
constexpr std::string_view kDeflateEnd = "\x03\0"sv;
// Magic; checksum of the content, size unknown; a window of 2 MiB, which no piece goes beyond.
constexpr std::string_view kZstdHead = "\x28\xb5\x2f\xfd\x04\x58"sv;
// The same without a checksum, around a piece that is alone.
constexpr std::string_view kZstdPieceHead = "\x28\xb5\x2f\xfd\0\x58"sv;
constexpr std::string_view kZstdEnd = "\x01\0\0"sv;
constexpr std::size_t kZstdWindow = std::size_t{2} << 20;
constexpr std::string_view kLz4End = "\0\0\0\0"sv;

constexpr int kXzLevel = 3;
constexpr int kZstdLevel = 3;
constexpr int kZstdWindowLog = 21;
constexpr std::size_t kZstdSlack = 256;

std::string little_endian(std::uint64_t value, std::size_t size_bytes) {
  std::string text;
  for (std::size_t i = 0; i < size_bytes; ++i, value >>= 8U) {
    text.push_back(static_cast<char>(static_cast<unsigned char>(value & 0xFFU)));
  }
  return text;
}

[[noreturn]] void throw_wrong_piece(const std::string& source_name) {
  throw_damaged(source_name, "a compressed piece holds another number of bytes than expected");
}

class GzipPieceEncoder final : public FrameEncoder {
 public:
  GzipPieceEncoder() : level_buffer_(ISAL_DEF_LVL3_DEFAULT) {}
  std::size_t bound(std::size_t content_size) const override {
    // Of blocks that are stored as they are.
    return content_size + content_size / 1024 + 1024;
  }
  std::size_t encode(Bytes content, MutableBytes frame) override {
    ::isal_deflate_init(&stream_);
    stream_.level = 3;
    stream_.level_buf = level_buffer_.data();
    stream_.level_buf_size = static_cast<std::uint32_t>(level_buffer_.size());
    stream_.flush = FULL_FLUSH;
    stream_.end_of_stream = 0;
    // The library does not write to its input.
    stream_.next_in =
        const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(content.data()));
    stream_.avail_in = static_cast<std::uint32_t>(content.size());
    stream_.next_out = reinterpret_cast<std::uint8_t*>(frame.data());
    stream_.avail_out = static_cast<std::uint32_t>(frame.size());
    if (::isal_deflate(&stream_) != COMP_OK || stream_.avail_in > 0 || stream_.avail_out == 0) {
      throw_codec_failure("ISA-L");
    }
    return frame.size() - stream_.avail_out;
  }

 private:
  std::vector<std::uint8_t> level_buffer_;
  isal_zstream stream_ = {};
};

class GzipPieceDecoder final : public FrameDecoder {
 public:
  void decode(Bytes frame, MutableBytes content, const std::string& source_name) override {
    ::isal_inflate_init(&state_);
    state_.crc_flag = ISAL_DEFLATE;
    state_.next_in = const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(frame.data()));
    state_.avail_in = static_cast<std::uint32_t>(frame.size());
    state_.next_out = reinterpret_cast<std::uint8_t*>(content.data());
    state_.avail_out = static_cast<std::uint32_t>(content.size());
    if (::isal_inflate(&state_) < ISAL_DECOMP_OK) {
      throw_damaged(source_name, "its gzip data cannot be decompressed");
    }
    if (state_.avail_out > 0) throw_wrong_piece(source_name);
  }

 private:
  inflate_state state_ = {};
};

LZ4F_preferences_t lz4_preferences(int level) {
  LZ4F_preferences_t preferences = LZ4F_INIT_PREFERENCES;
  preferences.frameInfo.blockSizeID = LZ4F_max1MB;
  preferences.frameInfo.blockMode = LZ4F_blockIndependent;
  preferences.frameInfo.blockChecksumFlag = LZ4F_blockChecksumEnabled;
  preferences.compressionLevel = level;
  return preferences;
}

std::size_t check_lz4(std::size_t result) {
  if (::LZ4F_isError(result) != 0) throw_codec_failure(::LZ4F_getErrorName(result));
  return result;
}

class Lz4PieceEncoder final : public FrameEncoder {
 public:
  explicit Lz4PieceEncoder(int level) : preferences_(lz4_preferences(level)) {
    LZ4F_cctx* context = nullptr;
    check_lz4(::LZ4F_createCompressionContext(&context, LZ4F_VERSION));
    context_.reset(context);
  }
  std::size_t bound(std::size_t content_size) const override {
    return ::LZ4F_compressBound(content_size, &preferences_);
  }
  std::size_t encode(Bytes content, MutableBytes frame) override {
    head_.resize(LZ4F_HEADER_SIZE_MAX);
    check_lz4(::LZ4F_compressBegin(context_.get(), head_.data(), head_.size(), &preferences_));
    std::size_t size = check_lz4(::LZ4F_compressUpdate(context_.get(), frame.data(), frame.size(),
                                                       content.data(), content.size(), nullptr));
    const MutableBytes left = frame.subspan(size);
    size += check_lz4(::LZ4F_flush(context_.get(), left.data(), left.size(), nullptr));
    return size;
  }
  // What every stream begins with.
  std::string head() {
    head_.resize(LZ4F_HEADER_SIZE_MAX);
    head_.resize(
        check_lz4(::LZ4F_compressBegin(context_.get(), head_.data(), head_.size(), &preferences_)));
    return head_;
  }

 private:
  struct Free {
    void operator()(LZ4F_cctx* context) const { ::LZ4F_freeCompressionContext(context); }
  };
  const LZ4F_preferences_t preferences_;
  std::unique_ptr<LZ4F_cctx, Free> context_;
  std::string head_;
};

class Lz4PieceDecoder final : public FrameDecoder {
 public:
  Lz4PieceDecoder() : decoder_(make_frame_decoder(Algorithm::lz4)) {}
  void decode(Bytes frame, MutableBytes content, const std::string& source_name) override {
    const Bytes head = as_bytes(head_);
    const Bytes end = as_bytes(kLz4End);
    whole_.assign(head.begin(), head.end());
    whole_.insert(whole_.end(), frame.begin(), frame.end());
    whole_.insert(whole_.end(), end.begin(), end.end());
    decoder_->decode(whole_, content, source_name);
  }

 private:
  const std::string head_ = Lz4PieceEncoder(0).head();
  const std::unique_ptr<FrameDecoder> decoder_;
  std::vector<std::byte> whole_;
};

std::size_t check_zstd(std::size_t result) {
  if (::ZSTD_isError(result) != 0) throw_codec_failure(::ZSTD_getErrorName(result));
  return result;
}

// A frame that libzstd makes by its threads consists of jobs, of which all but the first know
// nothing of what is before them, when they may not look back: offsets that are "the same as the
// last one" are never those of another job. So the piece becomes the second job of a frame.
class ZstdPieceEncoder final : public FrameEncoder {
 public:
  explicit ZstdPieceEncoder(int level) : context_(::ZSTD_createCCtx()) {
    constexpr int kNoLookBehind = 1;
    if (!context_) throw_codec_failure("libzstd");
    set(ZSTD_c_compressionLevel, level);
    set(ZSTD_c_windowLog, kZstdWindowLog);
    set(ZSTD_c_nbWorkers, 1);
    set(ZSTD_c_jobSize, static_cast<int>(2 * kZstdWindow));
    set(ZSTD_c_overlapLog, kNoLookBehind);
  }
  std::size_t bound(std::size_t content_size) const override {
    return ::ZSTD_compressBound(content_size) + kZstdSlack;
  }
  std::size_t encode(Bytes content, MutableBytes frame) override {
    check_zstd(::ZSTD_CCtx_reset(context_.get(), ZSTD_reset_session_only));
    std::array<std::byte, kZstdSlack> first_job{};
    flush(Bytes(first_job).first(1), first_job);
    return flush(content, frame);
  }

 private:
  struct Free {
    void operator()(ZSTD_CCtx* context) const { ::ZSTD_freeCCtx(context); }
  };
  void set(ZSTD_cParameter parameter, int value) {
    check_zstd(::ZSTD_CCtx_setParameter(context_.get(), parameter, value));
  }
  std::size_t flush(Bytes content, MutableBytes target) {
    ZSTD_inBuffer input = {content.data(), content.size(), 0};
    ZSTD_outBuffer output = {target.data(), target.size(), 0};
    while (check_zstd(::ZSTD_compressStream2(context_.get(), &output, &input, ZSTD_e_flush)) > 0) {
      if (output.pos == output.size) throw_codec_failure("libzstd");
    }
    return output.pos;
  }

  std::unique_ptr<ZSTD_CCtx, Free> context_;
};

class ZstdPieceDecoder final : public FrameDecoder {
 public:
  ZstdPieceDecoder() : decoder_(make_frame_decoder(Algorithm::zstd)) {}
  void decode(Bytes frame, MutableBytes content, const std::string& source_name) override {
    const Bytes head = as_bytes(kZstdPieceHead);
    const Bytes end = as_bytes(kZstdEnd);
    whole_.assign(head.begin(), head.end());
    whole_.insert(whole_.end(), frame.begin(), frame.end());
    whole_.insert(whole_.end(), end.begin(), end.end());
    decoder_->decode(whole_, content, source_name);
  }

 private:
  const std::unique_ptr<FrameDecoder> decoder_;
  std::vector<std::byte> whole_;
};

}  // namespace

struct PieceStream::Checksum {
  Xxh64 xxh64;
  std::uint32_t crc32 = 0;
  std::uint64_t size_bytes = 0;
  std::optional<XzBlocks> blocks;
};

bool has_pieces(Algorithm algorithm) {
  if (algorithm == Algorithm::zstd) {
    return ::ZSTD_cParam_getBounds(ZSTD_c_nbWorkers).upperBound > 0;
  }
  return algorithm == Algorithm::gzip || algorithm == Algorithm::lz4 || algorithm == Algorithm::xz;
}

bool is_always_in_pieces(Algorithm algorithm) { return algorithm == Algorithm::xz; }

std::unique_ptr<FrameEncoder> make_piece_encoder(Algorithm algorithm, std::optional<int> level) {
  switch (algorithm) {
    case Algorithm::gzip:
      return std::make_unique<GzipPieceEncoder>();
    case Algorithm::lz4:
      return std::make_unique<Lz4PieceEncoder>(level.value_or(0));
    case Algorithm::xz:
      return make_xz_piece_encoder(level.value_or(kXzLevel));
    case Algorithm::zstd:
      return std::make_unique<ZstdPieceEncoder>(level.value_or(kZstdLevel));
    default:
      throw_codec_failure("no pieces of this algorithm");
  }
}

std::unique_ptr<FrameDecoder> make_piece_decoder(Algorithm algorithm) {
  switch (algorithm) {
    case Algorithm::gzip:
      return std::make_unique<GzipPieceDecoder>();
    case Algorithm::lz4:
      return std::make_unique<Lz4PieceDecoder>();
    case Algorithm::xz:
      return make_xz_piece_decoder();
    case Algorithm::zstd:
      return std::make_unique<ZstdPieceDecoder>();
    default:
      throw_codec_failure("no pieces of this algorithm");
  }
}

PieceStream::PieceStream(Algorithm algorithm)
    : algorithm_(algorithm), checksum_(std::make_unique<Checksum>()) {
  if (algorithm == Algorithm::xz) checksum_->blocks.emplace();
}

PieceStream::~PieceStream() = default;

std::string PieceStream::head() const {
  if (algorithm_ == Algorithm::gzip) return std::string(kGzipHead);
  if (algorithm_ == Algorithm::zstd) return std::string(kZstdHead);
  if (algorithm_ == Algorithm::xz) return XzBlocks::head();
  return Lz4PieceEncoder(0).head();
}

void PieceStream::add(Bytes content, Bytes piece) {
  checksum_->size_bytes += content.size();
  if (checksum_->blocks) checksum_->blocks->add(piece);
  if (algorithm_ == Algorithm::zstd) checksum_->xxh64.add(content);
  if (algorithm_ == Algorithm::gzip) {
    checksum_->crc32 = ::crc32_gzip_refl(
        checksum_->crc32, reinterpret_cast<const unsigned char*>(content.data()), content.size());
  }
}

// The blocks of LZ4 have checksums of their own.
std::string PieceStream::tail() const {
  if (algorithm_ == Algorithm::lz4) return std::string(kLz4End);
  if (checksum_->blocks) return checksum_->blocks->tail();
  if (algorithm_ == Algorithm::zstd) {
    return std::string(kZstdEnd) + little_endian(checksum_->xxh64.value(), 4);
  }
  return std::string(kDeflateEnd) + little_endian(checksum_->crc32, 4) +
         little_endian(checksum_->size_bytes, 4);
}

}  // namespace barman::compression
