// Streaming compressors and decompressors, in the process: each is a Sink in front of another one.
//
// What is written can be unpacked by the usual tools (gzip, bzip2, xz, zstd, lz4, and the framing
// format of snappy), and their output can be read, several streams one after the other included.
// Memory is bounded whatever the size of the stream. Checksums of the formats are verified;
// damaged or cut-off input throws `corrupt` naming `source_name`, and what was handed on until
// then must be thrown away. finish() hands on what is left and finishes the next sink.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/fd.h"
#include "compression/algorithm.h"
#include "pipeline/sink.h"

namespace barman::compression {

// `level` as from resolve_level(). `next` must live longer.
std::unique_ptr<pipeline::Sink> make_compressor(Algorithm algorithm, int level,
                                                pipeline::Sink& next);
// The same as one stream from its beginning to its end: readers that stop at the end of the first
// gzip member or zstd frame (Python's tarfile) read all of it. Without a level at the one that
// suits large archives; gzip and snappy have no other. zstd works with `threads` threads.
std::unique_ptr<pipeline::Sink> make_archive_compressor(Algorithm algorithm,
                                                        std::optional<int> level,
                                                        std::size_t threads, pipeline::Sink& next);
// Called when a frame (a member of gzip) is complete and its content handed on, with the number of
// bytes of the current write() that are behind its end. gzip, lz4 and zstd only.
using FrameEnd = std::function<void(std::size_t unread_bytes)>;
std::unique_ptr<pipeline::Sink> make_decompressor(Algorithm algorithm, pipeline::Sink& next,
                                                  std::string source_name,
                                                  FrameEnd on_frame_end = {});
// Recognises the format by its first bytes; what is like none of them is handed on as it is.
std::unique_ptr<pipeline::Sink> make_detecting_decompressor(pipeline::Sink& next,
                                                            std::string source_name);

}  // namespace barman::compression
