// A tar stream, as a server sends it, on its way into a tree.
#pragma once

#include <memory>
#include <string>

#include "pipeline/sink.h"
#include "pipeline/tar_reader.h"
#include "stored/backup_writer.h"

namespace barman::stored {

class UnpackedStream final : public pipeline::Sink {
 public:
  // `tree` must live longer; it is finished with the stream. With options.coding.algorithm the
  // stream comes compressed.
  UnpackedStream(TreeSink& tree, const BackupWriter::MemberTap& tap, const WriterOptions& options,
                 const std::string& name);

  void write(Bytes data) override { input().write(data); }
  void finish() override;

 private:
  pipeline::Sink& input();

  TreeSink& tree_;
  const std::unique_ptr<pipeline::TarVisitor> tap_;
  pipeline::TarReader reader_;
  std::unique_ptr<pipeline::Sink> decompressor_;
};

}  // namespace barman::stored
