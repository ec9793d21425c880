#include "stored/unpacked_stream.h"

#include "compression/codec.h"

namespace barman::stored {

UnpackedStream::UnpackedStream(TreeSink& tree, const BackupWriter::MemberTap& tap,
                               const WriterOptions& options, const std::string& name)
    : tree_(tree),
      tap_(tap ? tap(tree) : nullptr),
      reader_(tap_ ? *tap_ : static_cast<pipeline::TarVisitor&>(tree), name, options.stream_end) {
  if (options.coding.place == CompressionPlace::server) {
    decompressor_ = compression::make_decompressor(*options.coding.algorithm, reader_, name);
  }
}

void UnpackedStream::finish() {
  input().finish();
  tree_.finish();
}

pipeline::Sink& UnpackedStream::input() {
  if (decompressor_) return *decompressor_;
  return reader_;
}

}  // namespace barman::stored
