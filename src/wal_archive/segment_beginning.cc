#include "wal_archive/segment_beginning.h"

#include <algorithm>
#include <utility>

#include "wal/segment_header.h"

namespace barman::wal_archive {
namespace {

// Thrown through the filters of a chain.
struct EnoughRead {};

class BeginningSink final : public pipeline::Sink {
 public:
  void write(Bytes data) override {
    const Bytes wanted = data.first(std::min(data.size(), wal::kSegmentHeaderSize - bytes_.size()));
    bytes_.insert(bytes_.end(), wanted.begin(), wanted.end());
    if (bytes_.size() == wal::kSegmentHeaderSize) throw EnoughRead();
  }
  void finish() override {}
  std::vector<std::byte> take() { return std::move(bytes_); }

 private:
  std::vector<std::byte> bytes_;
};

}  // namespace

std::vector<std::byte> read_segment_beginning(const std::function<void(pipeline::Sink&)>& read) {
  BeginningSink sink;
  try {
    read(sink);
  } catch (const EnoughRead&) {  // The rest of it is of no interest.
  }
  return sink.take();
}

}  // namespace barman::wal_archive
