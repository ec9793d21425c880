#include "compression/xz_pieces.h"

#include <lzma.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "compression/codecs.h"

namespace barman::compression {
namespace {

constexpr std::uint32_t kMaxDictionary = std::uint32_t{2} << 20;
// Damaged blocks only ask for more.
constexpr std::uint64_t kMaxPieceMemory = std::uint64_t{256} << 20;
constexpr lzma_check kPieceCheck = LZMA_CHECK_CRC64;

const std::uint8_t* raw(Bytes bytes) { return reinterpret_cast<const std::uint8_t*>(bytes.data()); }
std::uint8_t* raw(MutableBytes bytes) { return reinterpret_cast<std::uint8_t*>(bytes.data()); }

void check_xz(lzma_ret result) {
  if (result != LZMA_OK) throw_codec_failure("liblzma");
}

// The head of a block, with the filters that it names.
class BlockHead {
 public:
  // False when it is none.
  bool parse(Bytes block) {
    if (block.empty() || block[0] == std::byte{0}) return false;
    block_.version = 1;
    block_.check = kPieceCheck;
    block_.filters = filters_.data();
    block_.header_size = lzma_block_header_size_decode(std::to_integer<std::uint32_t>(block[0]));
    if (block_.header_size > block.size()) return false;
    if (::lzma_block_header_decode(&block_, nullptr, raw(block)) != LZMA_OK) return false;
    is_parsed_ = true;
    return ::lzma_raw_decoder_memusage(filters_.data()) <= kMaxPieceMemory;
  }
  BlockHead() = default;
  BlockHead(const BlockHead&) = delete;
  BlockHead& operator=(const BlockHead&) = delete;
  ~BlockHead() {
    if (is_parsed_) ::lzma_filters_free(filters_.data(), nullptr);
  }
  lzma_block& get() { return block_; }

 private:
  lzma_block block_ = {};
  std::array<lzma_filter, LZMA_FILTERS_MAX + 1> filters_ = {};
  bool is_parsed_ = false;
};

class XzPieceEncoder final : public FrameEncoder {
 public:
  explicit XzPieceEncoder(int level) {
    if (::lzma_lzma_preset(&options_, static_cast<std::uint32_t>(level)) != 0) {
      throw_codec_failure("liblzma has no such level");
    }
    options_.dict_size = std::min(options_.dict_size, kMaxDictionary);
  }
  std::size_t bound(std::size_t content_size) const override {
    return ::lzma_block_buffer_bound(content_size);
  }
  std::size_t encode(Bytes content, MutableBytes frame) override {
    std::array<lzma_filter, 2> filters = {
        {{.id = LZMA_FILTER_LZMA2, .options = &options_}, {.id = LZMA_VLI_UNKNOWN, .options = {}}}};
    lzma_block block = {};
    block.check = kPieceCheck;
    block.filters = filters.data();
    std::size_t size = 0;
    check_xz(::lzma_block_buffer_encode(&block, nullptr, raw(content), content.size(), raw(frame),
                                        &size, frame.size()));
    return size;
  }

 private:
  lzma_options_lzma options_ = {};
};

class XzPieceDecoder final : public FrameDecoder {
 public:
  void decode(Bytes frame, MutableBytes content, const std::string& source_name) override {
    BlockHead head;
    if (!head.parse(frame)) throw_damaged(source_name, "a block of its xz data has no good head");
    std::size_t read = head.get().header_size;
    std::size_t written = 0;
    const lzma_ret result =
        ::lzma_block_buffer_decode(&head.get(), nullptr, raw(frame), &read, frame.size(),
                                   raw(content), &written, content.size());
    if (result == LZMA_MEM_ERROR) throw_codec_failure("liblzma");
    if (result != LZMA_OK || written != content.size()) {
      throw_damaged(source_name, "its xz data cannot be decompressed");
    }
  }
};

}  // namespace

struct XzBlocks::Index {
  struct End {
    void operator()(lzma_index* ended) const { ::lzma_index_end(ended, nullptr); }
  };
  std::unique_ptr<lzma_index, End> index{::lzma_index_init(nullptr)};
};

XzBlocks::XzBlocks() : index_(std::make_unique<Index>()) {
  if (!index_->index) throw_codec_failure("liblzma");
}

XzBlocks::~XzBlocks() = default;

std::string XzBlocks::head() {
  lzma_stream_flags flags = {};
  flags.check = kPieceCheck;
  std::array<std::uint8_t, LZMA_STREAM_HEADER_SIZE> bytes = {};
  check_xz(::lzma_stream_header_encode(&flags, bytes.data()));
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

void XzBlocks::add(Bytes block) {
  BlockHead head;
  if (!head.parse(block)) throw_codec_failure("a block of xz that is none");
  check_xz(::lzma_index_append(index_->index.get(), nullptr,
                               ::lzma_block_unpadded_size(&head.get()),
                               head.get().uncompressed_size));
}

std::string XzBlocks::tail() const {
  lzma_stream_flags flags = {};
  flags.check = kPieceCheck;
  flags.backward_size = ::lzma_index_size(index_->index.get());
  std::string text(static_cast<std::size_t>(flags.backward_size) + LZMA_STREAM_HEADER_SIZE, '\0');
  std::size_t size = 0;
  auto* const bytes = reinterpret_cast<std::uint8_t*>(text.data());
  check_xz(::lzma_index_buffer_encode(index_->index.get(), bytes, &size, text.size()));
  check_xz(::lzma_stream_footer_encode(&flags, bytes + size));
  return text;
}

std::unique_ptr<FrameEncoder> make_xz_piece_encoder(int level) {
  return std::make_unique<XzPieceEncoder>(level);
}

std::unique_ptr<FrameDecoder> make_xz_piece_decoder() { return std::make_unique<XzPieceDecoder>(); }

}  // namespace barman::compression
