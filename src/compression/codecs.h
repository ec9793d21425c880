// The codecs one by one, for codec.cc only.
#pragma once

#include <memory>
#include <string>

#include "base/error.h"
#include "compression/codec.h"
#include "pipeline/sink.h"

namespace barman::compression {

using pipeline::Sink;

// What codecs read and write at a time.
inline constexpr std::size_t kCodecBuffer = std::size_t{256} << 10;

std::unique_ptr<Sink> make_bzip2_compressor(int level, Sink& next);
std::unique_ptr<Sink> make_gzip_compressor(int level, Sink& next);
std::unique_ptr<Sink> make_gzip_stream_compressor(Sink& next);
std::unique_ptr<Sink> make_lz4_compressor(int level, Sink& next);
std::unique_ptr<Sink> make_snappy_compressor(Sink& next);
std::unique_ptr<Sink> make_xz_compressor(int level, Sink& next);
std::unique_ptr<Sink> make_zstd_compressor(int level, Sink& next, std::size_t threads = 1);

std::unique_ptr<Sink> make_bzip2_decompressor(Sink& next, std::string source_name);
std::unique_ptr<Sink> make_gzip_decompressor(Sink& next, std::string source_name,
                                             FrameEnd on_frame_end);
std::unique_ptr<Sink> make_lz4_decompressor(Sink& next, std::string source_name,
                                            FrameEnd on_frame_end);
std::unique_ptr<Sink> make_snappy_decompressor(Sink& next, std::string source_name);
std::unique_ptr<Sink> make_xz_decompressor(Sink& next, std::string source_name);
std::unique_ptr<Sink> make_zstd_decompressor(Sink& next, std::string source_name,
                                             FrameEnd on_frame_end);

// `corrupt`: "\"NAME\" is damaged: REASON".
[[noreturn]] void throw_damaged(const std::string& source_name, const std::string& reason);
// The stream ended in the middle.
[[noreturn]] void throw_cut_off(const std::string& source_name);
// Out of memory and the like.
[[noreturn]] void throw_codec_failure(const std::string& what);

}  // namespace barman::compression
