// Whole files through codecs, between descriptors. Sources are read from their beginning with
// pread(2), so that a descriptor may be shared; nothing is fsynced here.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "base/error.h"
#include "base/fd.h"
#include "compression/algorithm.h"
#include "pipeline/sink.h"

namespace barman::compression {

// No WAL file is larger; what grows beyond it while it is decompressed is damaged.
inline constexpr std::uint64_t kMaxContentSize = std::uint64_t{1} << 30;

// Nobody reads the pipe or socket any more.
class ReaderGone final : public Error {
 public:
  using Error::Error;
};

// Writes to a descriptor that it does not own. Throws ReaderGone, and `corrupt` beyond the limit.
class FdSink final : public pipeline::Sink {
 public:
  FdSink(int fd, std::filesystem::path path, std::uint64_t limit_bytes = kMaxContentSize)
      : fd_(fd), path_(std::move(path)), limit_bytes_(limit_bytes) {}
  void write(Bytes data) override;
  void finish() override {}
  std::uint64_t size_bytes() const { return size_bytes_; }

 private:
  int fd_;
  std::filesystem::path path_;
  std::uint64_t limit_bytes_;
  std::uint64_t size_bytes_ = 0;
};

// Collects the content of a small file. Throws `corrupt` beyond kMaxSmallFile.
class TextSink final : public pipeline::Sink {
 public:
  explicit TextSink(std::string name, std::size_t limit_bytes = kMaxSmallFile)
      : name_(std::move(name)), limit_bytes_(limit_bytes) {}
  void write(Bytes data) override;
  void finish() override {}
  std::string take() { return std::move(text_); }

 private:
  const std::string name_;
  const std::size_t limit_bytes_;
  std::string text_;
};

// Pushes all of `source` into `sink` and finishes it.
void push_file(const Fd& source, const std::filesystem::path& source_path, pipeline::Sink& sink);

}  // namespace barman::compression
