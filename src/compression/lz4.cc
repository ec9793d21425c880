// The frame format of LZ4, by liblz4, with the checksum of the content.
#include <lz4frame.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "compression/codecs.h"

namespace barman::compression {
namespace {

LZ4F_preferences_t preferences(int level) {
  LZ4F_preferences_t result = LZ4F_INIT_PREFERENCES;
  result.frameInfo.blockSizeID = LZ4F_max256KB;
  result.frameInfo.contentChecksumFlag = LZ4F_contentChecksumEnabled;
  result.compressionLevel = level;
  return result;
}

class Lz4Compressor final : public Sink {
 public:
  Lz4Compressor(int level, Sink& next)
      : next_(next),
        preferences_(preferences(level)),
        output_(std::max<std::size_t>(::LZ4F_compressBound(kCodecBuffer, &preferences_),
                                      LZ4F_HEADER_SIZE_MAX)) {
    LZ4F_cctx* context = nullptr;
    check(::LZ4F_createCompressionContext(&context, LZ4F_VERSION));
    context_.reset(context);
  }

  void write(Bytes data) override {
    begin();
    while (!data.empty()) {
      const Bytes piece = data.first(std::min(data.size(), kCodecBuffer));
      hand_on(::LZ4F_compressUpdate(context_.get(), output_.data(), output_.size(), piece.data(),
                                    piece.size(), nullptr));
      data = data.subspan(piece.size());
    }
  }

  void finish() override {
    begin();
    hand_on(::LZ4F_compressEnd(context_.get(), output_.data(), output_.size(), nullptr));
    next_.finish();
  }

 private:
  struct Free {
    void operator()(LZ4F_cctx* context) const { ::LZ4F_freeCompressionContext(context); }
  };

  static void check(std::size_t result) {
    if (::LZ4F_isError(result) != 0) throw_codec_failure(::LZ4F_getErrorName(result));
  }

  void begin() {
    if (has_begun_) return;
    has_begun_ = true;
    hand_on(::LZ4F_compressBegin(context_.get(), output_.data(), output_.size(), &preferences_));
  }

  void hand_on(std::size_t result) {
    check(result);
    if (result > 0) next_.write(Bytes(output_).first(result));
  }

  Sink& next_;
  const LZ4F_preferences_t preferences_;
  std::vector<std::byte> output_;
  std::unique_ptr<LZ4F_cctx, Free> context_;
  bool has_begun_ = false;
};

class Lz4Decompressor final : public Sink {
 public:
  Lz4Decompressor(Sink& next, std::string source_name, FrameEnd on_frame_end)
      : next_(next),
        source_name_(std::move(source_name)),
        on_frame_end_(std::move(on_frame_end)),
        output_(kCodecBuffer) {
    LZ4F_dctx* context = nullptr;
    if (::LZ4F_isError(::LZ4F_createDecompressionContext(&context, LZ4F_VERSION)) != 0) {
      throw_codec_failure("liblz4");
    }
    context_.reset(context);
  }

  void write(Bytes data) override {
    bool is_output_full = false;
    while (!data.empty() || is_output_full) {
      std::size_t consumed = data.size();
      std::size_t produced = output_.size();
      wanted_ = ::LZ4F_decompress(context_.get(), output_.data(), &produced, data.data(), &consumed,
                                  nullptr);
      if (::LZ4F_isError(wanted_) != 0) throw_damaged(source_name_, ::LZ4F_getErrorName(wanted_));
      if (produced > 0) next_.write(Bytes(output_).first(produced));
      data = data.subspan(consumed);
      is_output_full = produced == output_.size() && wanted_ != 0;
      if (wanted_ == 0 && on_frame_end_) on_frame_end_(data.size());
    }
  }

  void finish() override {
    if (wanted_ != 0) throw_cut_off(source_name_);
    next_.finish();
  }

 private:
  struct Free {
    void operator()(LZ4F_dctx* context) const { ::LZ4F_freeDecompressionContext(context); }
  };

  Sink& next_;
  const std::string source_name_;
  const FrameEnd on_frame_end_;
  std::vector<std::byte> output_;
  std::unique_ptr<LZ4F_dctx, Free> context_;
  // 0 between frames.
  std::size_t wanted_ = 1;
};

}  // namespace

std::unique_ptr<Sink> make_lz4_compressor(int level, Sink& next) {
  return std::make_unique<Lz4Compressor>(level, next);
}

std::unique_ptr<Sink> make_lz4_decompressor(Sink& next, std::string source_name,
                                            FrameEnd on_frame_end) {
  return std::make_unique<Lz4Decompressor>(next, std::move(source_name), std::move(on_frame_end));
}

}  // namespace barman::compression
