// An object that is read in ranges. Readers that go on where they have stopped get larger and
// larger ranges, of which the next one is fetched while they work on this one; those that jump get
// what they ask for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <thread>
#include <vector>

#include "base/fd.h"
#include "pipeline/content_file.h"

namespace barman::object_store {

// One version of an object. Several ranges may be read at once, by several threads.
class RangeSource {
 public:
  virtual ~RangeSource() = default;
  // Fills `buffer`, all of which lies within the object, or throws.
  virtual void read(std::uint64_t offset, MutableBytes buffer) = 0;
};

// What comes with opening an object: enough for small ones.
inline constexpr std::size_t kFirstWindow = std::size_t{256} << 10;

class RangeFile final : public pipeline::ContentFile {
 public:
  // `beginning` has been read already.
  RangeFile(std::shared_ptr<RangeSource> source, std::uint64_t size_bytes,
            std::vector<std::byte> beginning);
  RangeFile(const RangeFile&) = delete;
  RangeFile& operator=(const RangeFile&) = delete;
  // Waits for what is being fetched.
  ~RangeFile() override;

  std::size_t read_at(std::uint64_t offset, MutableBytes buffer) override;
  std::uint64_t size_bytes() const override { return size_bytes_; }
  // Needs no request.
  std::unique_ptr<pipeline::ContentFile> another() const override;

 private:
  struct Window {
    std::uint64_t offset = 0;
    std::vector<std::byte> content;
    std::uint64_t end() const { return offset + content.size(); }
    bool has(std::uint64_t position) const { return position >= offset && position < end(); }
  };

  void fetch_window(std::uint64_t offset, std::size_t wanted);
  void begin_ahead();
  // The window that was fetched ahead, when it is the one.
  bool take_ahead(std::uint64_t offset);

  const std::shared_ptr<RangeSource> source_;
  const std::uint64_t size_bytes_;
  Window window_;
  std::size_t window_size_ = kFirstWindow;
  Window ahead_;
  std::exception_ptr ahead_failure_;
  std::jthread ahead_thread_;
};

}  // namespace barman::object_store
