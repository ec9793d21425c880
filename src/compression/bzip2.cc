// bzip2, by libbz2.
#include <bzlib.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "compression/codecs.h"

namespace barman::compression {
namespace {

// The library does not write to its input.
char* input_pointer(Bytes data) {
  return const_cast<char*>(reinterpret_cast<const char*>(data.data()));
}

class Bzip2Compressor final : public Sink {
 public:
  Bzip2Compressor(int level, Sink& next) : next_(next), output_(kCodecBuffer) {
    if (::BZ2_bzCompressInit(&stream_, level, 0, 0) != BZ_OK) throw_codec_failure("libbz2");
  }
  Bzip2Compressor(const Bzip2Compressor&) = delete;
  Bzip2Compressor& operator=(const Bzip2Compressor&) = delete;
  ~Bzip2Compressor() override { ::BZ2_bzCompressEnd(&stream_); }

  void write(Bytes data) override {
    while (!data.empty()) {
      const Bytes piece = data.first(std::min(data.size(), kCodecBuffer));
      stream_.next_in = input_pointer(piece);
      stream_.avail_in = static_cast<unsigned>(piece.size());
      while (stream_.avail_in > 0) run(BZ_RUN);
      data = data.subspan(piece.size());
    }
  }

  void finish() override {
    while (run(BZ_FINISH) != BZ_STREAM_END) continue;
    next_.finish();
  }

 private:
  int run(int action) {
    stream_.next_out = reinterpret_cast<char*>(output_.data());
    stream_.avail_out = static_cast<unsigned>(output_.size());
    const int result = ::BZ2_bzCompress(&stream_, action);
    if (result < 0) throw_codec_failure("libbz2");
    const Bytes produced = Bytes(output_).first(output_.size() - stream_.avail_out);
    if (!produced.empty()) next_.write(produced);
    return result;
  }

  Sink& next_;
  bz_stream stream_ = {};
  std::vector<std::byte> output_;
};

class Bzip2Decompressor final : public Sink {
 public:
  Bzip2Decompressor(Sink& next, std::string source_name)
      : next_(next), source_name_(std::move(source_name)), output_(kCodecBuffer) {
    begin();
  }
  Bzip2Decompressor(const Bzip2Decompressor&) = delete;
  Bzip2Decompressor& operator=(const Bzip2Decompressor&) = delete;
  ~Bzip2Decompressor() override { ::BZ2_bzDecompressEnd(&stream_); }

  void write(Bytes data) override {
    while (!data.empty()) {
      if (has_ended_) {
        ::BZ2_bzDecompressEnd(&stream_);
        begin();
      }
      const Bytes piece = data.first(std::min(data.size(), kCodecBuffer));
      stream_.next_in = input_pointer(piece);
      stream_.avail_in = static_cast<unsigned>(piece.size());
      do {
        decompress();
      } while (!has_ended_ && (stream_.avail_in > 0 || stream_.avail_out == 0));
      data = data.subspan(piece.size() - stream_.avail_in);
    }
  }

  void finish() override {
    if (!has_ended_) throw_cut_off(source_name_);
    next_.finish();
  }

 private:
  void begin() {
    stream_ = {};
    if (::BZ2_bzDecompressInit(&stream_, 0, 0) != BZ_OK) throw_codec_failure("libbz2");
    has_ended_ = false;
  }

  void decompress() {
    stream_.next_out = reinterpret_cast<char*>(output_.data());
    stream_.avail_out = static_cast<unsigned>(output_.size());
    const int result = ::BZ2_bzDecompress(&stream_);
    if (result == BZ_MEM_ERROR) throw_codec_failure("libbz2");
    if (result < 0) throw_damaged(source_name_, "its bzip2 data cannot be decompressed");
    has_ended_ = result == BZ_STREAM_END;
    const Bytes produced = Bytes(output_).first(output_.size() - stream_.avail_out);
    if (!produced.empty()) next_.write(produced);
  }

  Sink& next_;
  const std::string source_name_;
  bz_stream stream_ = {};
  std::vector<std::byte> output_;
  bool has_ended_ = false;
};

}  // namespace

std::unique_ptr<Sink> make_bzip2_compressor(int level, Sink& next) {
  return std::make_unique<Bzip2Compressor>(level, next);
}

std::unique_ptr<Sink> make_bzip2_decompressor(Sink& next, std::string source_name) {
  return std::make_unique<Bzip2Decompressor>(next, std::move(source_name));
}

}  // namespace barman::compression
