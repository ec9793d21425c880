#include "compression/frame_codec.h"

#include <libdeflate.h>
#include <lz4frame.h>
#include <zstd.h>

#include <cstring>
#include <vector>

#include "compression/codecs.h"

namespace barman::compression {
namespace {

constexpr int kDefaultGzipLevel = 6;

template <auto Function>
struct Free {
  template <typename T>
  void operator()(T* pointer) const {
    Function(pointer);
  }
};

[[noreturn]] void throw_wrong_size(const std::string& source_name) {
  throw_damaged(source_name, "a compressed frame holds another number of bytes than expected");
}

class GzipFrameEncoder final : public FrameEncoder {
 public:
  explicit GzipFrameEncoder(int level) : compressor_(::libdeflate_alloc_compressor(level)) {
    if (!compressor_) throw_codec_failure("libdeflate");
  }
  std::size_t bound(std::size_t content_size) const override {
    return ::libdeflate_gzip_compress_bound(compressor_.get(), content_size);
  }
  std::size_t encode(Bytes content, MutableBytes frame) override {
    const std::size_t size = ::libdeflate_gzip_compress(compressor_.get(), content.data(),
                                                        content.size(), frame.data(), frame.size());
    if (size == 0) throw_codec_failure("libdeflate");
    return size;
  }

 private:
  std::unique_ptr<libdeflate_compressor, Free<::libdeflate_free_compressor>> compressor_;
};

class GzipFrameDecoder final : public FrameDecoder {
 public:
  GzipFrameDecoder() : decompressor_(::libdeflate_alloc_decompressor()) {
    if (!decompressor_) throw_codec_failure("libdeflate");
  }
  void decode(Bytes frame, MutableBytes content, const std::string& source_name) override {
    std::size_t consumed = 0;
    std::size_t produced = 0;
    const libdeflate_result result =
        ::libdeflate_gzip_decompress_ex(decompressor_.get(), frame.data(), frame.size(),
                                        content.data(), content.size(), &consumed, &produced);
    if (result == LIBDEFLATE_BAD_DATA) {
      throw_damaged(source_name, "its gzip data cannot be decompressed, or its checksum is wrong");
    }
    if (result != LIBDEFLATE_SUCCESS || produced != content.size() || consumed != frame.size()) {
      throw_wrong_size(source_name);
    }
  }

 private:
  std::unique_ptr<libdeflate_decompressor, Free<::libdeflate_free_decompressor>> decompressor_;
};

class Lz4FrameEncoder final : public FrameEncoder {
 public:
  explicit Lz4FrameEncoder(int level) {
    preferences_.frameInfo.blockSizeID = LZ4F_max1MB;
    preferences_.frameInfo.contentChecksumFlag = LZ4F_contentChecksumEnabled;
    preferences_.compressionLevel = level;
    LZ4F_cctx* context = nullptr;
    check(::LZ4F_createCompressionContext(&context, LZ4F_VERSION));
    context_.reset(context);
  }
  std::size_t bound(std::size_t content_size) const override {
    return LZ4F_HEADER_SIZE_MAX + ::LZ4F_compressBound(content_size, &preferences_);
  }
  std::size_t encode(Bytes content, MutableBytes frame) override {
    preferences_.frameInfo.contentSize = content.size();
    std::size_t size = 0;
    const auto left = [&] { return frame.subspan(size); };
    size +=
        check(::LZ4F_compressBegin(context_.get(), left().data(), left().size(), &preferences_));
    size += check(::LZ4F_compressUpdate(context_.get(), left().data(), left().size(),
                                        content.data(), content.size(), nullptr));
    size += check(::LZ4F_compressEnd(context_.get(), left().data(), left().size(), nullptr));
    return size;
  }

 private:
  static std::size_t check(std::size_t result) {
    if (::LZ4F_isError(result) != 0) throw_codec_failure(::LZ4F_getErrorName(result));
    return result;
  }

  LZ4F_preferences_t preferences_ = LZ4F_INIT_PREFERENCES;
  std::unique_ptr<LZ4F_cctx, Free<::LZ4F_freeCompressionContext>> context_;
};

class Lz4FrameDecoder final : public FrameDecoder {
 public:
  Lz4FrameDecoder() {
    LZ4F_dctx* context = nullptr;
    if (::LZ4F_isError(::LZ4F_createDecompressionContext(&context, LZ4F_VERSION)) != 0) {
      throw_codec_failure("liblz4");
    }
    context_.reset(context);
  }
  void decode(Bytes frame, MutableBytes content, const std::string& source_name) override {
    // What an earlier, damaged frame left behind.
    ::LZ4F_resetDecompressionContext(context_.get());
    std::size_t wanted = 1;
    std::size_t produced_size = 0;
    while (!frame.empty() && wanted != 0) {
      std::size_t consumed = frame.size();
      std::size_t produced = content.size() - produced_size;
      wanted = ::LZ4F_decompress(context_.get(), content.data() + produced_size, &produced,
                                 frame.data(), &consumed, nullptr);
      if (::LZ4F_isError(wanted) != 0) throw_damaged(source_name, ::LZ4F_getErrorName(wanted));
      if (consumed == 0 && produced == 0) break;
      produced_size += produced;
      frame = frame.subspan(consumed);
    }
    if (wanted != 0 || !frame.empty() || produced_size != content.size()) {
      throw_wrong_size(source_name);
    }
  }

 private:
  std::unique_ptr<LZ4F_dctx, Free<::LZ4F_freeDecompressionContext>> context_;
};

// Level 3 and its neighbour look for matches with two large tables. In the pages of a database a
// short look behind often finds as much or more, in half the time: one piece of many is compressed
// both ways, and the quick way is taken until the next trial if its frame was not the larger one.
class ZstdFrameEncoder final : public FrameEncoder {
 public:
  explicit ZstdFrameEncoder(int level) : thorough_(make_context(level)) {
    if (level < kFirstTriedLevel || level > kLastTriedLevel) return;
    quick_ = make_context(level);
    set(*quick_, ZSTD_c_strategy, ZSTD_fast);
    set(*quick_, ZSTD_c_hashLog, kQuickHashLog);
    set(*quick_, ZSTD_c_minMatch, kQuickMinMatch);
  }
  std::size_t bound(std::size_t content_size) const override {
    return ::ZSTD_compressBound(content_size);
  }
  std::size_t encode(Bytes content, MutableBytes frame) override {
    if (!quick_) return compress(*thorough_, content, frame);
    if (until_trial_-- > 0) return compress(is_quick_ ? *quick_ : *thorough_, content, frame);
    until_trial_ = kTrialEvery - 1;
    trial_.resize(bound(content.size()));
    const std::size_t quick_size = compress(*quick_, content, trial_);
    const std::size_t thorough_size = compress(*thorough_, content, frame);
    is_quick_ = quick_size <= thorough_size;
    if (!is_quick_) return thorough_size;
    std::memcpy(frame.data(), trial_.data(), quick_size);
    return quick_size;
  }

 private:
  using Context = std::unique_ptr<ZSTD_CCtx, Free<::ZSTD_freeCCtx>>;
  // Both with two tables, whatever the size of the piece; higher levels are asked for to save
  // space, lower ones are quick already.
  static constexpr int kFirstTriedLevel = 3;
  static constexpr int kLastTriedLevel = 4;
  static constexpr int kTrialEvery = 16;
  // 32 KiB, which stay in the processor's nearest cache.
  static constexpr int kQuickHashLog = 13;
  static constexpr int kQuickMinMatch = 5;

  static Context make_context(int level) {
    Context context(::ZSTD_createCCtx());
    if (!context) throw_codec_failure("libzstd");
    set(*context, ZSTD_c_compressionLevel, level);
    set(*context, ZSTD_c_checksumFlag, 1);
    return context;
  }
  static void set(ZSTD_CCtx& context, ZSTD_cParameter parameter, int value) {
    check(::ZSTD_CCtx_setParameter(&context, parameter, value));
  }
  static std::size_t compress(ZSTD_CCtx& context, Bytes content, MutableBytes frame) {
    return check(
        ::ZSTD_compress2(&context, frame.data(), frame.size(), content.data(), content.size()));
  }
  static std::size_t check(std::size_t result) {
    if (::ZSTD_isError(result) != 0) throw_codec_failure(::ZSTD_getErrorName(result));
    return result;
  }

  Context thorough_;
  Context quick_;
  std::vector<std::byte> trial_;
  int until_trial_ = 0;
  bool is_quick_ = false;
};

class ZstdFrameDecoder final : public FrameDecoder {
 public:
  ZstdFrameDecoder() : context_(::ZSTD_createDCtx()) {
    if (!context_) throw_codec_failure("libzstd");
  }
  void decode(Bytes frame, MutableBytes content, const std::string& source_name) override {
    const std::size_t size = ::ZSTD_decompressDCtx(context_.get(), content.data(), content.size(),
                                                   frame.data(), frame.size());
    if (::ZSTD_isError(size) != 0) throw_damaged(source_name, ::ZSTD_getErrorName(size));
    if (size != content.size()) throw_wrong_size(source_name);
  }

 private:
  std::unique_ptr<ZSTD_DCtx, Free<::ZSTD_freeDCtx>> context_;
};

}  // namespace

std::unique_ptr<FrameEncoder> make_frame_encoder(Algorithm algorithm, std::optional<int> level) {
  switch (algorithm) {
    case Algorithm::gzip:
      return std::make_unique<GzipFrameEncoder>(level.value_or(-1) == -1 ? kDefaultGzipLevel
                                                                         : *level);
    case Algorithm::lz4:
      return std::make_unique<Lz4FrameEncoder>(level.value_or(0));
    case Algorithm::zstd:
      return std::make_unique<ZstdFrameEncoder>(level.value_or(ZSTD_CLEVEL_DEFAULT));
    default:
      throw_codec_failure("no frames of this algorithm");
  }
}

std::unique_ptr<FrameDecoder> make_frame_decoder(Algorithm algorithm) {
  switch (algorithm) {
    case Algorithm::gzip:
      return std::make_unique<GzipFrameDecoder>();
    case Algorithm::lz4:
      return std::make_unique<Lz4FrameDecoder>();
    case Algorithm::zstd:
      return std::make_unique<ZstdFrameDecoder>();
    default:
      throw_codec_failure("no frames of this algorithm");
  }
}

}  // namespace barman::compression
