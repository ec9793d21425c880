// xz, by liblzma.
#include <lzma.h>

#include <utility>
#include <vector>

#include "compression/codecs.h"

namespace barman::compression {
namespace {

// What `xz -9` writes needs 65 MiB; more is refused, because only damaged files ask for it.
constexpr std::uint64_t kMemoryLimit = std::uint64_t{256} << 20;

// One stream in either direction; the two differ in how it is set up.
class XzStream {
 public:
  XzStream() : output_(kCodecBuffer) {}
  XzStream(const XzStream&) = delete;
  XzStream& operator=(const XzStream&) = delete;
  ~XzStream() { ::lzma_end(&stream_); }

  lzma_stream& get() { return stream_; }

  // Takes all of `data`; the result of the last step.
  lzma_ret run(Bytes data, lzma_action action, Sink& next) {
    stream_.next_in = reinterpret_cast<const std::uint8_t*>(data.data());
    stream_.avail_in = data.size();
    lzma_ret result = LZMA_OK;
    do {
      stream_.next_out = reinterpret_cast<std::uint8_t*>(output_.data());
      stream_.avail_out = output_.size();
      result = ::lzma_code(&stream_, action);
      const Bytes produced = Bytes(output_).first(output_.size() - stream_.avail_out);
      if (!produced.empty()) next.write(produced);
    } while (result == LZMA_OK &&
             (stream_.avail_in > 0 || stream_.avail_out == 0 || action == LZMA_FINISH));
    return result;
  }

 private:
  lzma_stream stream_ = LZMA_STREAM_INIT;
  std::vector<std::byte> output_;
};

class XzCompressor final : public Sink {
 public:
  XzCompressor(int level, Sink& next) : next_(next) {
    if (::lzma_easy_encoder(&stream_.get(), static_cast<std::uint32_t>(level), LZMA_CHECK_CRC64) !=
        LZMA_OK) {
      throw_codec_failure("liblzma");
    }
  }

  void write(Bytes data) override {
    if (!data.empty() && stream_.run(data, LZMA_RUN, next_) != LZMA_OK) {
      throw_codec_failure("liblzma");
    }
  }

  void finish() override {
    if (stream_.run({}, LZMA_FINISH, next_) != LZMA_STREAM_END) throw_codec_failure("liblzma");
    next_.finish();
  }

 private:
  Sink& next_;
  XzStream stream_;
};

class XzDecompressor final : public Sink {
 public:
  XzDecompressor(Sink& next, std::string source_name)
      : next_(next), source_name_(std::move(source_name)) {
    if (::lzma_stream_decoder(&stream_.get(), kMemoryLimit, LZMA_CONCATENATED) != LZMA_OK) {
      throw_codec_failure("liblzma");
    }
  }

  void write(Bytes data) override {
    if (data.empty()) return;
    const lzma_ret result = stream_.run(data, LZMA_RUN, next_);
    // No progress with the bytes there are is not an error: more may come.
    if (result != LZMA_OK && result != LZMA_BUF_ERROR) fail(result);
  }

  void finish() override {
    const lzma_ret result = stream_.run({}, LZMA_FINISH, next_);
    if (result == LZMA_BUF_ERROR) throw_cut_off(source_name_);
    if (result != LZMA_STREAM_END) fail(result);
    next_.finish();
  }

 private:
  [[noreturn]] void fail(lzma_ret result) const {
    if (result == LZMA_MEM_ERROR) throw_codec_failure("liblzma");
    throw_damaged(source_name_, "its xz data cannot be decompressed");
  }

  Sink& next_;
  const std::string source_name_;
  XzStream stream_;
};

}  // namespace

std::unique_ptr<Sink> make_xz_compressor(int level, Sink& next) {
  return std::make_unique<XzCompressor>(level, next);
}

std::unique_ptr<Sink> make_xz_decompressor(Sink& next, std::string source_name) {
  return std::make_unique<XzDecompressor>(next, std::move(source_name));
}

}  // namespace barman::compression
