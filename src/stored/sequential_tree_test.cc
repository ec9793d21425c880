#include "stored/sequential_tree.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/test_interrupt.h"

#include <thread>

#include "base/error.h"
#include "base/worker_pool.h"
#include "stored/archive_test_support.h"

namespace barman::stored {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::string content_of(ContentFile& file, std::size_t piece = 100'000) {
  std::string content;
  std::string buffer(piece, '\0');
  for (;;) {
    const std::size_t size =
        file.read_at(content.size(), std::as_writable_bytes(std::span(buffer)));
    content.append(buffer, 0, size);
    if (size < piece) return content;
  }
}

class SequentialTreeTest : public testing::Test {
 protected:
  ArchiveFile put(const SampleArchive& sample) const {
    return put_archive(directory_.path(), sample, compression::Algorithm::zstd, Frames::one);
  }

  const TemporaryDirectory directory_;
  // More than the pipes of one file hold.
  SampleArchive sample_ = [] {
    SampleArchive sample = sample_archive();
    sample.files["base/1/9999"] = sample_content((std::size_t{9} << 20) + 77, 5);
    return sample;
  }();
};

TEST_F(SequentialTreeTest, FilesAreReadSideBySideWhileItIsRead) {
  const SequentialTree tree(put(sample_), {});
  std::mutex mutex;
  std::map<std::string, std::string> files;
  std::vector<std::string> directories;
  WorkerPool workers(2);
  tree.read_through([&](const Entry& entry, const ContentOpener& open) {
    if (entry.is_directory) return directories.push_back(entry.path);
    EXPECT_EQ(entry.size_bytes, sample_.files.at(entry.path).size());
    workers.submit([&, open, path = entry.path] {
      const std::unique_ptr<ContentFile> file = open();
      EXPECT_EQ(file->size_bytes(), sample_.files.at(path).size());
      std::string content = content_of(*file);
      const std::lock_guard lock(mutex);
      files[path] = std::move(content);
    });
  });
  workers.wait();
  EXPECT_EQ(files, sample_.files);
  EXPECT_THAT(directories, testing::ElementsAre("", "base", "base/1", "global"));
}

TEST_F(SequentialTreeTest, WhatNobodyReadsToItsEndHoldsNothingUp) {
  const SequentialTree tree(put(sample_), {});
  std::vector<std::string> seen;
  std::string begin(10, '\0');
  WorkerPool workers(1);
  tree.read_through([&](const Entry& entry, const ContentOpener& open) {
    seen.push_back(entry.path);
    if (entry.path != "base/1/9999") return;  // its opener goes at once
    workers.submit([&, open] { open()->read_at(0, std::as_writable_bytes(std::span(begin))); });
  });
  workers.wait();
  EXPECT_EQ(begin, sample_.files["base/1/9999"].substr(0, 10));
  EXPECT_EQ(seen.size(), sample_.files.size() + sample_.directories.size() + 1);
}

TEST_F(SequentialTreeTest, OfAnArchiveThatEndsEarlyTheReaderAndTheCallerAreTold) {
  const ArchiveFile archive = put(sample_);
  std::filesystem::resize_file(archive.path, std::filesystem::file_size(archive.path) / 2);
  const SequentialTree tree(archive, {});
  std::vector<std::string> refusals;
  WorkerPool workers(1);
  EXPECT_THROW(tree.read_through([&](const Entry& entry, const ContentOpener& open) {
    if (entry.is_directory) return;
    workers.submit([&, open, path = entry.path] {
      try {
        content_of(*open());
      } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::corrupt);
        EXPECT_THAT(error.describe(), HasSubstr(tree.describe(path)));
        refusals.push_back(path);
      }
    });
  }),
               Error);
  workers.wait();
  EXPECT_EQ(refusals.size(), 1U) << "of the file that was being read; not shorter in silence";
}

// The visitor gives up while a file waits for its content.
TEST_F(SequentialTreeTest, NobodyWaitsForAVisitorThatHasFailed) {
  const SequentialTree tree(put(sample_), {});
  WorkerPool workers(1);
  std::atomic<int> ended = 0;
  EXPECT_THROW(tree.read_through([&](const Entry& entry, const ContentOpener& open) {
    if (entry.is_directory) return;
    if (ended > 0 || entry.path == "base/1/2001") {
      throw Error(ErrorKind::io, "the disk is full");
    }
    workers.submit([&, open] {
      content_of(*open());
      ++ended;
    });
  }),
               Error);
  workers.wait();
}

TEST_F(SequentialTreeTest, AFileIsReadForwardOnly) {
  const SequentialTree tree(put(sample_), {});
  std::string refusal;
  WorkerPool workers(1);
  tree.read_through([&](const Entry& entry, const ContentOpener& open) {
    if (entry.path != "global/pg_control") return;
    workers.submit([&refusal, open] {
      const auto file = open();
      std::string text(100, '\0');
      const auto buffer = std::as_writable_bytes(std::span(text));
      file->read_at(0, buffer);
      file->read_at(100, buffer);
      try {
        file->read_at(0, buffer);
      } catch (const Error& error) {
        refusal = error.describe();
      }
    });
  });
  workers.wait();
  EXPECT_THAT(refusal, AllOf(HasSubstr("global/pg_control"), HasSubstr("in order only")));
}

TEST_F(SequentialTreeTest, HasNoRandomAccessAndEndsWhenItIsInterrupted) {
  const ArchiveFile archive = put(sample_);
  const SequentialTree tree(archive, {});
  EXPECT_FALSE(tree.has_random_access());
  EXPECT_THROW(static_cast<void>(tree.has_file("PG_VERSION")), Error);
  EXPECT_THROW(tree.open("PG_VERSION"), Error);
  TestInterrupt interrupt;
  interrupt.request();
  const SequentialTree stopped(archive, interrupt.get());
  EXPECT_THROW(stopped.walk([](const Entry&) {}), Error);
}

}  // namespace
}  // namespace barman::stored
