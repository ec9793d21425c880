// Text for a descriptor, written in pieces of some size.
#pragma once

#include <string>

#include "base/fd.h"

namespace barman::output {

class ChunkedText {
 public:
  explicit ChunkedText(const Fd& out) : out_(out) {}
  std::string& text() { return text_; }
  void flush_if_full() {
    if (text_.size() >= kChunkBytes) flush();
  }
  void flush() {
    write_full(out_, as_bytes(text_), "standard output");
    text_.clear();
  }

 private:
  static constexpr std::size_t kChunkBytes = std::size_t{1} << 18;

  const Fd& out_;
  std::string text_;
};

}  // namespace barman::output
