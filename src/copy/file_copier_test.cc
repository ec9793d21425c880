#include "copy/file_copier.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/stat.h>
#include "base/test_interrupt.h"

#include <chrono>
#include <memory>
#include <optional>
#include <span>

#include "copy/test_support.h"
#include "stored/plain_tree.h"

namespace barman::copy {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

struct stat status_of(const fs::path& path) {
  struct stat status = {};
  EXPECT_EQ(::lstat(path.c_str(), &status), 0) << path;
  return status;
}

class FileCopierTest : public testing::Test {
 protected:
  CopyTask task_for(const std::string& content, const std::string& name = "copy") const {
    return {.source = "backup/" + name,
            .open = in_memory(content),
            .destination = root_ / name,
            .size_bytes = content.size(),
            .expected = expected_of(content)};
  }
  // How many bytes of existing files were right already.
  std::uint64_t copy(const CopyTask& task) const {
    NoProgress progress;
    FileCopier copier({}, progress, {});
    copier.submit(task);
    copier.wait();
    return copier.kept_bytes();
  }

  const TemporaryDirectory directory_;
  const fs::path root_ = directory_.path();
};

TEST_F(FileCopierTest, ACopyHasTheContentTheModeAndTheTimeOfItsSource) {
  // Nothing, small, and past the page cache with an end that is no block.
  for (const std::size_t size : {std::size_t{0}, std::size_t{77}, (std::size_t{3} << 20) + 777}) {
    const std::string content(size, 'x');
    CopyTask task = task_for(content);
    task.mode = 0640;
    task.modified = timespec{.tv_sec = 1700000000, .tv_nsec = 5000};
    const mode_t umask = ::umask(0077);
    copy(task);
    ::umask(umask);
    EXPECT_EQ(get_file(root_ / "copy"), content);
    const struct stat status = status_of(root_ / "copy");
    EXPECT_EQ(status.st_mode & 07777, 0640U) << "the umask takes nothing away";
    EXPECT_EQ(status.st_mtim.tv_sec, 1700000000);
    EXPECT_EQ(status.st_mtim.tv_nsec, 5000);
  }
}

// Without an fsync of its own, when a flush of the file system covers it.
TEST_F(FileCopierTest, ManySmallFilesBelowARootBecomeDurableTogether) {
  NoProgress progress;
  FileCopier copier({.worker_count = 3}, progress, {});
  fs::create_directories(root_ / "below");
  copier.add_root(root_);
  copier.add_directory(root_ / "below");
  for (int i = 0; i < 200; ++i) {
    copier.submit(
        task_for(std::string(static_cast<std::size_t>(i) * 50, 'x'), "below/" + std::to_string(i)));
  }
  copier.submit(task_for(std::string(std::size_t{3} << 20, 'y'), "below/large"));
  copier.wait();
  for (int i = 0; i < 200; ++i) {
    EXPECT_EQ(get_file(root_ / "below" / std::to_string(i)).size(),
              static_cast<std::size_t>(i) * 50);
  }
  EXPECT_EQ(get_file(root_ / "below/large").size(), std::size_t{3} << 20);
}

// Small ones in groups, large ones between them; the last group is not full.
TEST_F(FileCopierTest, FilesAtHandAreCopiedInGroups) {
  NoProgress progress;
  FileCopier copier({.worker_count = 3}, progress, {});
  copier.add_root(root_);
  const auto size_of = [](int i) {
    return static_cast<std::size_t>(i % 10 == 9 ? 70'000 : i * 50);
  };
  for (int i = 0; i < 333; ++i) {
    CopyTask task =
        task_for(std::string(size_of(i), static_cast<char>('a' + i % 26)), std::to_string(i));
    task.is_at_hand = true;
    copier.submit(std::move(task));
  }
  copier.wait();
  for (int i = 0; i < 333; ++i) {
    EXPECT_EQ(get_file(root_ / std::to_string(i)),
              std::string(size_of(i), static_cast<char>('a' + i % 26)));
  }
}

TEST_F(FileCopierTest, ADamagedFileOfAGroupIsRefusedByName) {
  NoProgress progress;
  FileCopier copier({}, progress, {});
  for (int i = 0; i < 40; ++i) {
    CopyTask task = task_for("content", std::to_string(i));
    task.is_at_hand = true;
    if (i == 35) task.open = in_memory("CONTENT");
    copier.submit(std::move(task));
  }
  EXPECT_THAT(refusal_of([&] { copier.wait(); }),
              AllOf(StartsWith("corrupt: "), HasSubstr("\"backup/35\" is damaged")));
}

TEST_F(FileCopierTest, WhatIsNotTheFileOfTheManifestIsRefusedByName) {
  const std::string content(100'000, 'x');
  CopyTask damaged = task_for(content);
  damaged.open = in_memory(with_last_byte_changed(content));
  EXPECT_THAT(refusal_of([&] { copy(damaged); }),
              AllOf(StartsWith("corrupt: "), HasSubstr("\"backup/copy\" is damaged"),
                    HasSubstr(damaged.expected->checksum)));
  for (const std::size_t size : {std::size_t{99'999}, std::size_t{100'001}}) {
    CopyTask other = task_for(content);
    other.open = in_memory(std::string(size, 'x'));
    EXPECT_THAT(refusal_of([&] { copy(other); }),
                AllOf(StartsWith("corrupt: "), HasSubstr("\"backup/copy\" has "),
                      HasSubstr("instead of 100000")));
  }
}

// Of files on disk of which nothing is known the kernel makes the copy.
TEST_F(FileCopierTest, AFileThatNoManifestListsMustHaveItsSizeAllTheSame) {
  put_file(root_ / "source", std::string(50'000, 'y'));
  CopyTask task{.source = root_ / "source", .destination = root_ / "copy", .size_bytes = 50'000};
  copy(task);
  EXPECT_EQ(get_file(root_ / "copy"), std::string(50'000, 'y'));
  task.size_bytes = 50'001;
  EXPECT_THAT(refusal_of([&] { copy(task); }), HasSubstr("has 50000 bytes instead of 50001"));
}

TEST_F(FileCopierTest, TellsTheChecksumOfWhatNoManifestLists) {
  CopyTask task = task_for("content");
  task.expected.reset();
  std::string told;
  task.on_checksum = [&](std::uint64_t size_bytes, std::uint32_t crc32c) {
    told += std::to_string(size_bytes) + ":" + crc32c_text(crc32c) + " ";
  };
  copy(task);
  // Also of a file that is there already: the new manifest needs it.
  task.updates_existing = true;
  copy(task);
  const std::string once = "7:" + digest_of(DigestAlgorithm::crc32c, std::string("content")) + " ";
  EXPECT_EQ(told, once + once);
}

TEST_F(FileCopierTest, AnOlderFileOfThatNameLeavesNothing) {
  put_file(root_ / "copy", std::string(20'000, 'o'));
  copy(task_for("new"));
  EXPECT_EQ(get_file(root_ / "copy"), "new");
}

TEST_F(FileCopierTest, ALinkInThePlaceOfAFileIsNotFollowed) {
  put_file(root_ / "of_somebody", "his");
  for (const bool updates : {false, true}) {
    fs::remove(root_ / "copy");
    fs::create_symlink(root_ / "of_somebody", root_ / "copy");
    CopyTask task = task_for("new");
    task.updates_existing = updates;
    EXPECT_THAT(refusal_of([&] { copy(task); }), HasSubstr((root_ / "copy").string()));
  }
  EXPECT_EQ(get_file(root_ / "of_somebody"), "his");
}

TEST_F(FileCopierTest, WhatIsRightAlreadyIsNotReadFromTheBackup) {
  const std::string content(100'000, 'x');
  put_file(root_ / "copy", content);
  CopyTask task = task_for(content);
  task.updates_existing = true;
  task.open = unwanted;
  EXPECT_EQ(copy(task), content.size());
  // Right by its size alone is not right.
  put_file(root_ / "copy", with_last_byte_changed(content));
  EXPECT_THAT(refusal_of([&] { copy(task); }), HasSubstr("that nobody needs"));
}

// As a file of a chain, which has no checksum of its own.
class ProvedFile final : public stored::ContentFile {
 public:
  explicit ProvedFile(std::string content) : content_(std::move(content)) {}
  std::size_t read_at(std::uint64_t offset, MutableBytes buffer) override {
    return (lender_ != nullptr ? *lender_ : *stored::make_text_file(content_))
        .read_at(offset, buffer);
  }
  std::uint64_t size_bytes() const override { return content_.size(); }
  std::optional<pipeline::JudgedCopy> judge(stored::ContentFile& copy) override {
    std::string found(content_.size() + 1, '\0');
    found.resize(copy.read_at(0, std::as_writable_bytes(std::span(found))));
    return pipeline::JudgedCopy{.is_right = found == content_, .crc32c = 17};
  }
  void borrow(stored::ContentFile& copy) override {
    if (copy.size_bytes() == 1) lender_ = &copy;
  }

 private:
  const std::string content_;
  stored::ContentFile* lender_ = nullptr;
};

TEST_F(FileCopierTest, WhatIsProvedToBeRightIsNotReadFromTheBackup) {
  CopyTask task = task_for("content");
  task.open = [] { return std::make_unique<ProvedFile>("content"); };
  task.expected.reset();
  task.updates_existing = true;
  std::uint32_t told = 0;
  task.on_checksum = [&](std::uint64_t, std::uint32_t crc32c) { told = crc32c; };
  put_file(root_ / "copy", "content");
  EXPECT_EQ(copy(task), 7U);
  EXPECT_EQ(told, 17U);
  for (const char* const present : {"CONTENT", "content and more", ""}) {
    put_file(root_ / "copy", present);
    copy(task);
    EXPECT_EQ(get_file(root_ / "copy"), "content");
    EXPECT_NE(told, 17U);
  }
}

TEST_F(FileCopierTest, OfAFileThatDiffersTheBlocksThatDifferAreWritten) {
  const std::string content = std::string(8192, 'a') + std::string(8192, 'b') + "end";
  CopyTask task = task_for(content);
  task.updates_existing = true;
  const auto kept = [&](const std::string& present) {
    put_file(root_ / "copy", present);
    const std::uint64_t bytes = copy(task);
    EXPECT_EQ(get_file(root_ / "copy"), content);
    return bytes;
  };
  EXPECT_EQ(kept(std::string(8192, 'a') + std::string(8192, 'x') + "end"), 8192U + 3U);
  EXPECT_EQ(kept(content + "longer"), content.size());
  EXPECT_EQ(kept(content.substr(0, 8192 + 100)), 8192U) << "shorter";
  EXPECT_EQ(kept(""), 0U);
}

TEST_F(FileCopierTest, AShortFileIsFilledUpWithZeroesWhateverWasThere) {
  for (const bool updates : {false, true}) {
    put_file(root_ / "copy", std::string(50'000, 'o'));
    CopyTask task = task_for("begin");
    task.updates_existing = updates;
    task.minimum_size_bytes = 10'000;
    copy(task);
    EXPECT_EQ(get_file(root_ / "copy"), "begin" + std::string(9'995, '\0'));
  }
}

TEST_F(FileCopierTest, TheFirstFailureEndsIt) {
  NoProgress progress;
  FileCopier copier({.worker_count = 1}, progress, {});
  CopyTask damaged = task_for("content");
  damaged.open = in_memory("CONTENT");
  // Each of them fails, and nothing goes on for ever.
  const std::string refusal = refusal_of([&] {
    for (int i = 0; i < 1000; ++i) copier.submit(damaged);
    copier.wait();
  });
  EXPECT_THAT(refusal, HasSubstr("\"backup/copy\" is damaged"));
}

TEST_F(FileCopierTest, NothingBeginsAfterAnInterrupt) {
  NoProgress progress;
  TestInterrupt interrupt;
  FileCopier copier({}, progress, interrupt.get());
  copier.submit(task_for("one", "one"));
  interrupt.request();
  EXPECT_THROW(copier.submit(task_for("two", "two")), Error);
  EXPECT_FALSE(fs::exists(root_ / "two"));
}

TEST_F(FileCopierTest, TheLimitOfTheRateIsThatOfAllWorkersTogether) {
  NoProgress progress;
  const auto begin = std::chrono::steady_clock::now();
  FileCopier copier({.worker_count = 4, .bandwidth_limit = {.kib_per_second = 2000}}, progress, {});
  for (const char* const name : {"1", "2", "3", "4"}) {
    copier.submit(task_for(std::string(50'000, 'x'), name));
  }
  copier.wait();
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(90));
}

}  // namespace
}  // namespace barman::copy
