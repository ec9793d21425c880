// The end of a chain: a file that appears under its final name complete and durable, with finish().
// Write-back begins while the file is being written, so that its fsync has little left to do.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>
#include <utility>

#include "base/durable.h"
#include "pipeline/bulk_writer.h"
#include "pipeline/sink.h"

namespace barman::pipeline {

class FileSink final : public Sink {
 public:
  // `if_taken` and `suffix` are those of AtomicFile.
  explicit FileSink(std::filesystem::path path, mode_t mode = 0600,
                    IfTaken if_taken = IfTaken::replace, std::string_view suffix = ".tmp")
      : file_(std::move(path), mode, suffix),
        if_taken_(if_taken),
        writer_(file_.fd(), file_.temporary_path(), 0) {}

  void write(Bytes data) override {
    writer_.write(data);
    size_bytes_ += data.size();
  }
  // Commit point of the file.
  void finish() override { file_.commit(if_taken_); }
  std::uint64_t size_bytes() const { return size_bytes_; }

 private:
  AtomicFile file_;
  IfTaken if_taken_;
  BulkWriter writer_;
  std::uint64_t size_bytes_ = 0;
};

}  // namespace barman::pipeline
