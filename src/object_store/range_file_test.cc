#include "object_store/range_file.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <mutex>
#include <random>
#include <string>

#include "base/error.h"

namespace barman::object_store {
namespace {

std::string content_of(std::size_t size) {
  std::string content(size, '\0');
  std::minstd_rand random(7);
  std::ranges::generate(content, [&] { return static_cast<char>(random() >> 8U); });
  return content;
}

class MemoryRange final : public RangeSource {
 public:
  struct Requests {
    std::mutex mutex;
    std::size_t count = 0;
    std::uint64_t bytes = 0;
    std::uint64_t fails_behind = UINT64_MAX;
  };
  MemoryRange(const std::string& content, Requests& requests)
      : content_(content), requests_(requests) {}
  void read(std::uint64_t offset, MutableBytes buffer) override {
    const std::lock_guard lock(requests_.mutex);
    ++requests_.count;
    requests_.bytes += buffer.size();
    if (buffer.empty() || offset + buffer.size() > content_.size()) {
      throw Error(ErrorKind::internal, "a range outside of the object");
    }
    if (offset + buffer.size() > requests_.fails_behind) {
      throw Error(ErrorKind::connection, "gone");
    }
    std::ranges::copy(as_bytes(content_).subspan(offset, buffer.size()), buffer.begin());
  }

 private:
  const std::string& content_;
  Requests& requests_;
};

struct RangeFileSite {
  explicit RangeFileSite(std::size_t size, std::size_t beginning = 0)
      : content(content_of(size)),
        file(std::make_unique<MemoryRange>(content, requests), size, first(beginning)) {}
  std::vector<std::byte> first(std::size_t size) const {
    const Bytes bytes = as_bytes(content).first(size);
    return {bytes.begin(), bytes.end()};
  }
  std::string read(std::uint64_t offset, std::size_t size) {
    std::string buffer(size, '\0');
    buffer.resize(file.read_at(offset, std::as_writable_bytes(std::span(buffer))));
    return buffer;
  }
  std::string content;
  MemoryRange::Requests requests;
  RangeFile file;
};

TEST(RangeFile, NeedsNoRequestForASmallObject) {
  RangeFileSite site(1000, 1000);
  EXPECT_EQ(site.read(0, 5000), site.content);
  EXPECT_EQ(site.read(990, 100), site.content.substr(990));
  EXPECT_EQ(site.read(1000, 1), "");
  EXPECT_EQ(site.requests.count, 0U);
  RangeFileSite empty(0);
  EXPECT_EQ(empty.read(0, 10), "");
}

TEST(RangeFile, ReadsOnInFewLargeRanges) {
  RangeFileSite site(std::size_t{20} << 20, kFirstWindow);
  std::string all;
  for (std::uint64_t offset = 0; offset < site.content.size(); offset += 100'000) {
    all += site.read(offset, 100'000);
  }
  EXPECT_EQ(all, site.content);
  EXPECT_EQ(site.requests.bytes, site.content.size() - kFirstWindow) << "each byte once";
  EXPECT_LT(site.requests.count, 12U);
}

TEST(RangeFile, ReadsLargeBlocksWithoutACopy) {
  RangeFileSite site(std::size_t{20} << 20);
  EXPECT_EQ(site.read(5, std::size_t{8} << 20), site.content.substr(5, std::size_t{8} << 20));
  EXPECT_EQ(site.requests.count, 1U);
}

TEST(RangeFile, ReadsAnywhere) {
  RangeFileSite site(std::size_t{12} << 20, 1000);
  std::minstd_rand random(3);
  for (int i = 0; i < 200; ++i) {
    const std::uint64_t offset = random() % site.content.size();
    const std::size_t size = random() % (i % 10 == 0 ? 6'000'000U : 200'000U);
    EXPECT_TRUE(site.read(offset, size) == site.content.substr(offset, size)) << offset;
    // Sometimes on from there.
    if (i % 3 == 0 && offset + size < site.content.size()) {
      EXPECT_TRUE(site.read(offset + size, 300'000) == site.content.substr(offset + size, 300'000));
    }
  }
}

TEST(RangeFile, TellsWhatFailsAheadWhereItIsNeeded) {
  RangeFileSite site(std::size_t{10} << 20, kFirstWindow);
  site.requests.fails_behind = 3'000'000;
  std::uint64_t offset = 0;
  try {
    for (; offset < site.content.size(); offset += 100'000) {
      EXPECT_TRUE(site.read(offset, 100'000) == site.content.substr(offset, 100'000));
    }
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.message(), "gone");
  }
  site.requests.fails_behind = UINT64_MAX;
  EXPECT_TRUE(site.read(offset, 100'000) == site.content.substr(offset, 100'000)) << "tried again";
}

}  // namespace
}  // namespace barman::object_store
