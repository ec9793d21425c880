// Zstandard (RFC 8878), by libzstd, with the checksum of the content.
#include <zstd.h>

#include <utility>
#include <vector>

#include "compression/codecs.h"

namespace barman::compression {
namespace {

class ZstdCompressor final : public Sink {
 public:
  ZstdCompressor(int level, Sink& next, std::size_t threads)
      : next_(next), context_(::ZSTD_createCCtx()), output_(::ZSTD_CStreamOutSize()) {
    if (!context_) throw_codec_failure("libzstd");
    check(::ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_compressionLevel, level));
    check(::ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_checksumFlag, 1));
    // A library without threads works alone.
    if (threads > 1) {
      static_cast<void>(
          ::ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_nbWorkers, static_cast<int>(threads)));
    }
  }

  void write(Bytes data) override {
    ZSTD_inBuffer input = {data.data(), data.size(), 0};
    while (input.pos < input.size) run(input, ZSTD_e_continue);
  }

  void finish() override {
    ZSTD_inBuffer input = {nullptr, 0, 0};
    while (run(input, ZSTD_e_end) > 0) continue;
    next_.finish();
  }

 private:
  struct Free {
    void operator()(ZSTD_CCtx* context) const { ::ZSTD_freeCCtx(context); }
  };

  static void check(std::size_t result) {
    if (::ZSTD_isError(result) != 0) throw_codec_failure(::ZSTD_getErrorName(result));
  }

  // How much is left inside, as the library says.
  std::size_t run(ZSTD_inBuffer& input, ZSTD_EndDirective directive) {
    ZSTD_outBuffer output = {output_.data(), output_.size(), 0};
    const std::size_t left = ::ZSTD_compressStream2(context_.get(), &output, &input, directive);
    check(left);
    if (output.pos > 0) next_.write(Bytes(output_).first(output.pos));
    return left;
  }

  Sink& next_;
  std::unique_ptr<ZSTD_CCtx, Free> context_;
  std::vector<std::byte> output_;
};

class ZstdDecompressor final : public Sink {
 public:
  ZstdDecompressor(Sink& next, std::string source_name, FrameEnd on_frame_end)
      : next_(next),
        source_name_(std::move(source_name)),
        on_frame_end_(std::move(on_frame_end)),
        context_(::ZSTD_createDCtx()),
        output_(::ZSTD_DStreamOutSize()) {
    if (!context_) throw_codec_failure("libzstd");
  }

  void write(Bytes data) override {
    ZSTD_inBuffer input = {data.data(), data.size(), 0};
    bool is_output_full = false;
    while (input.pos < input.size || is_output_full) {
      ZSTD_outBuffer output = {output_.data(), output_.size(), 0};
      wanted_ = ::ZSTD_decompressStream(context_.get(), &output, &input);
      if (::ZSTD_isError(wanted_) != 0) throw_damaged(source_name_, ::ZSTD_getErrorName(wanted_));
      if (output.pos > 0) next_.write(Bytes(output_).first(output.pos));
      // After the end of a frame, nothing is held back.
      is_output_full = output.pos == output.size && wanted_ != 0;
      if (wanted_ == 0 && on_frame_end_) on_frame_end_(input.size - input.pos);
    }
  }

  void finish() override {
    if (wanted_ != 0) throw_cut_off(source_name_);
    next_.finish();
  }

 private:
  struct Free {
    void operator()(ZSTD_DCtx* context) const { ::ZSTD_freeDCtx(context); }
  };

  Sink& next_;
  const std::string source_name_;
  const FrameEnd on_frame_end_;
  std::unique_ptr<ZSTD_DCtx, Free> context_;
  std::vector<std::byte> output_;
  // 0 between frames.
  std::size_t wanted_ = 1;
};

}  // namespace

std::unique_ptr<Sink> make_zstd_compressor(int level, Sink& next, std::size_t threads) {
  return std::make_unique<ZstdCompressor>(level, next, threads);
}

std::unique_ptr<Sink> make_zstd_decompressor(Sink& next, std::string source_name,
                                             FrameEnd on_frame_end) {
  return std::make_unique<ZstdDecompressor>(next, std::move(source_name), std::move(on_frame_end));
}

}  // namespace barman::compression
