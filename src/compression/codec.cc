#include "compression/codec.h"

#include <optional>
#include <utility>

#include "compression/codecs.h"

namespace barman::compression {
namespace {

class DetectingDecompressor final : public Sink {
 public:
  DetectingDecompressor(Sink& next, std::string source_name)
      : next_(next), source_name_(std::move(source_name)) {}

  void write(Bytes data) override {
    if (sink_ != nullptr) {
      sink_->write(data);
      return;
    }
    first_ += as_text(data);
    if (first_.size() >= kMagicBytes) begin();
  }

  void finish() override {
    if (sink_ == nullptr) begin();
    sink_->finish();
  }

 private:
  void begin() {
    sink_ = &next_;
    if (const auto algorithm = detect(as_bytes(first_))) {
      decompressor_ = make_decompressor(*algorithm, next_, source_name_);
      sink_ = decompressor_.get();
    }
    if (!first_.empty()) sink_->write(as_bytes(first_));
  }

  Sink& next_;
  const std::string source_name_;
  std::string first_;
  std::unique_ptr<Sink> decompressor_;
  Sink* sink_ = nullptr;
};

}  // namespace

void throw_damaged(const std::string& source_name, const std::string& reason) {
  throw Error(ErrorKind::corrupt, "\"" + source_name + "\" is damaged: " + reason,
              "Put an intact copy of the file in its place.");
}

void throw_cut_off(const std::string& source_name) {
  throw_damaged(source_name, "its compressed data ends in the middle");
}

void throw_codec_failure(const std::string& what) {
  throw Error(ErrorKind::internal, "the compression library failed: " + what,
              "Check that there is enough memory.");
}

std::unique_ptr<Sink> make_compressor(Algorithm algorithm, int level, Sink& next) {
  switch (algorithm) {
    case Algorithm::bzip2:
      return make_bzip2_compressor(level, next);
    case Algorithm::gzip:
      return make_gzip_compressor(level, next);
    case Algorithm::lz4:
      return make_lz4_compressor(level, next);
    case Algorithm::snappy:
      return make_snappy_compressor(next);
    case Algorithm::xz:
      return make_xz_compressor(level, next);
    case Algorithm::zstd:
      return make_zstd_compressor(level, next);
  }
  throw_codec_failure("unknown algorithm");
}

std::unique_ptr<Sink> make_archive_compressor(Algorithm algorithm, std::optional<int> level,
                                              std::size_t threads, Sink& next) {
  constexpr int kBzip2Level = 9;
  constexpr int kZstdLevel = 3;
  switch (algorithm) {
    case Algorithm::gzip:
      return make_gzip_stream_compressor(next);
    case Algorithm::zstd:
      return make_zstd_compressor(level.value_or(kZstdLevel), next, threads);
    case Algorithm::bzip2:
      return make_bzip2_compressor(level.value_or(kBzip2Level), next);
    case Algorithm::lz4:
      return make_lz4_compressor(level.value_or(0), next);
    case Algorithm::snappy:
      return make_snappy_compressor(next);
    case Algorithm::xz:
      break;
  }
  return make_xz_compressor(level.value_or(resolve_level(algorithm, "")), next);
}

std::unique_ptr<Sink> make_decompressor(Algorithm algorithm, Sink& next, std::string source_name,
                                        FrameEnd on_frame_end) {
  switch (algorithm) {
    case Algorithm::bzip2:
      return make_bzip2_decompressor(next, std::move(source_name));
    case Algorithm::gzip:
      return make_gzip_decompressor(next, std::move(source_name), std::move(on_frame_end));
    case Algorithm::lz4:
      return make_lz4_decompressor(next, std::move(source_name), std::move(on_frame_end));
    case Algorithm::snappy:
      return make_snappy_decompressor(next, std::move(source_name));
    case Algorithm::xz:
      return make_xz_decompressor(next, std::move(source_name));
    case Algorithm::zstd:
      return make_zstd_decompressor(next, std::move(source_name), std::move(on_frame_end));
  }
  throw_codec_failure("unknown algorithm");
}

std::unique_ptr<Sink> make_detecting_decompressor(Sink& next, std::string source_name) {
  return std::make_unique<DetectingDecompressor>(next, std::move(source_name));
}

}  // namespace barman::compression
