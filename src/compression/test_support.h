// For unit tests: whole files and texts through codecs.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "base/fd.h"
#include "compression/algorithm.h"
#include "compression/codec.h"
#include "compression/stored_file.h"

namespace barman::compression {

// Returns the number of bytes that were written to `target`.
inline std::uint64_t compress_file(const Fd& source, Algorithm algorithm, int target) {
  FdSink sink(target, "target");
  push_file(source, "source", *make_compressor(algorithm, 1, sink));
  return sink.size_bytes();
}

// `content` itself, or what it is compressed from when it begins like one of the formats.
inline std::string decompress_text(const std::string& content, const std::string& name) {
  TextSink text(name, kMaxContentSize);
  const auto decompressor = make_detecting_decompressor(text, name);
  decompressor->write(as_bytes(content));
  decompressor->finish();
  return text.take();
}

}  // namespace barman::compression
