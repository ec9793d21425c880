#include "stored/archive_tree.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <latch>
#include <mutex>
#include <set>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/worker_pool.h"
#include "stored/archive_test_support.h"
#include "stored/scan_archive.h"

namespace barman::stored {
namespace {

using compression::Algorithm;

class ArchiveTreeTest : public ::testing::TestWithParam<std::optional<Algorithm>> {
 protected:
  std::shared_ptr<ArchiveTree> open(const ArchiveFile& archive,
                                    WithoutIndex without_index = WithoutIndex::give_up) {
    return open_archive_tree(archive, std::make_shared<FrameCache>(4), without_index, {});
  }
  TemporaryDirectory directory_;
};
INSTANTIATE_TEST_SUITE_P(Algorithms, ArchiveTreeTest,
                         ::testing::Values(std::nullopt, Algorithm::gzip, Algorithm::lz4,
                                           Algorithm::zstd),
                         [](const auto& param_info) {
                           return param_info.param ? std::string(to_text(*param_info.param))
                                                   : std::string("none");
                         });

std::string read_at(const ContentTree& tree, const std::string& path, std::uint64_t offset,
                    std::size_t size) {
  std::string content(size, '\0');
  content.resize(tree.open(path)->read_at(offset, std::as_writable_bytes(std::span(content))));
  return content;
}

TEST_P(ArchiveTreeTest, HasTheFilesOfTheArchiveAndReadsThemAnywhere) {
  const SampleArchive sample = sample_archive();
  const ArchiveFile archive = put_archive(directory_.path(), sample, GetParam());
  EXPECT_EQ(open(archive), nullptr) << "without an index";
  scan_archive(archive, {});
  const auto tree = open(archive);
  ASSERT_NE(tree, nullptr);

  std::map<std::string, std::uint64_t> sizes;
  std::vector<std::string> directories;
  tree->walk([&](const Entry& entry) {
    if (entry.is_directory) {
      directories.push_back(entry.path);
    } else {
      sizes[entry.path] = entry.size_bytes;
      EXPECT_EQ(entry.mode, 0600U);
      EXPECT_EQ(entry.mtime_seconds, 1700000001);
    }
  });
  EXPECT_THAT(directories, ::testing::ElementsAre("", "base", "base/1", "global"));
  ASSERT_EQ(sizes.size(), sample.files.size());
  for (const auto& [path, content] : sample.files) {
    EXPECT_EQ(sizes[path], content.size());
    EXPECT_TRUE(tree->has_file(path));
    EXPECT_EQ(read_content(*tree, path), content) << path;
  }
  const std::string& large = sample.files.at("base/1/1259");
  for (const std::size_t offset : {std::size_t{0}, std::size_t{2000000}, std::size_t{4194000}})
    EXPECT_EQ(read_at(*tree, "base/1/1259", offset, 300000), large.substr(offset, 300000));
  EXPECT_EQ(read_at(*tree, "base/1/1259", large.size() - 5, 100), large.substr(large.size() - 5));
  EXPECT_EQ(read_at(*tree, "base/1/1259", large.size(), 100), "");
  EXPECT_FALSE(tree->has_file("base/1"));
  EXPECT_FALSE(tree->has_file("nothing"));
  EXPECT_THROW(tree->open("nothing"), Error);
}

TEST_P(ArchiveTreeTest, IsReadByManyThreads) {
  const SampleArchive sample = sample_archive();
  const ArchiveFile archive = put_archive(directory_.path(), sample, GetParam());
  const auto tree = open(archive, WithoutIndex::scan);
  ASSERT_NE(tree, nullptr);
  WorkerPool workers(4);
  for (const auto& [path, content] : sample.files)
    workers.submit([&tree, &file = path, &expected = content] {
      if (read_content(*tree, file) != expected) throw Error(ErrorKind::corrupt, file);
    });
  EXPECT_NO_THROW(workers.wait());
}

// Chains of compressed backups with hundreds of tablespaces: with two descriptors an archive, half
// of these were too many.
TEST_P(ArchiveTreeTest, HundredsAreReadWithin1024Descriptors) {
  if (stride(2) > 1 && GetParam() != Algorithm::zstd) return;
  constexpr int kArchives = 1100;
  SampleArchive sample;
  sample.files = {{"PG_VERSION", "17\n"}, {"global/pg_control", "one of hundreds"}};
  const ArchiveFile first = put_archive(directory_.path(), sample, GetParam());
  scan_archive(first, {});
  std::vector<ArchiveFile> archives;
  for (int i = 0; i < kArchives; ++i) {
    const auto directory = directory_.path() / std::to_string(i);
    std::filesystem::create_directory(directory);
    archives.push_back({directory / first.path.filename(), first.algorithm});
    std::filesystem::create_hard_link(first.path, archives.back().path);
    std::filesystem::create_hard_link(first.index_path(), archives.back().index_path());
  }
  const auto read_all = [&] {
    std::vector<std::shared_ptr<ArchiveTree>> trees;
    for (const ArchiveFile& archive : archives) trees.push_back(open(archive));
    const std::string& wanted = sample.files.at("global/pg_control");
    for (const auto& tree : trees) {
      if (!tree || read_content(*tree, "global/pg_control") != wanted) return false;
    }
    return true;
  };
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(120);  // Instead of a wait for ever.
    const rlimit limit = {.rlim_cur = 1024, .rlim_max = 1024};
    if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) ::_exit(2);
    try {
      ::_exit(read_all() ? 0 : 3);
    } catch (const std::exception& error) {
      std::fputs(error.what(), stderr);
      ::_exit(4);
    }
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST_P(ArchiveTreeTest, NamesArchiveAndFileOfADamagedFrame) {
  if (!GetParam()) return;
  const SampleArchive sample = sample_archive();
  const ArchiveFile archive = put_archive(directory_.path(), sample, GetParam());
  scan_archive(archive, {});
  std::string bytes = get_file(archive.path);
  const auto time = std::filesystem::last_write_time(archive.path);
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 0x55);
  put_file(archive.path, bytes);
  std::filesystem::last_write_time(archive.path, time);
  const auto tree = open(archive);
  ASSERT_NE(tree, nullptr);
  std::size_t failures = 0;
  for (const auto& [path, content] : sample.files) {
    try {
      EXPECT_EQ(read_content(*tree, path), content);
    } catch (const Error& error) {
      ++failures;
      EXPECT_EQ(error.kind(), ErrorKind::corrupt);
      EXPECT_THAT(error.describe(), ::testing::HasSubstr(archive.path.string()));
      EXPECT_THAT(error.describe(), ::testing::HasSubstr("\"" + path + "\""));
    }
  }
  EXPECT_GT(failures, 0U);
  EXPECT_LT(failures, sample.files.size());
}

TEST_P(ArchiveTreeTest, DoesNotTrustAnIndexOfAnotherArchive) {
  const ArchiveFile archive = put_archive(directory_.path(), sample_archive(), GetParam());
  scan_archive(archive, {});
  SampleArchive other = sample_archive();
  other.files["global/pg_control"] += "longer, so that the archive has another size";
  other.files["more"] = sample_content(100000, 9);
  put_archive(directory_.path(), other, GetParam());
  EXPECT_EQ(open(archive), nullptr);
  const auto tree = open(archive, WithoutIndex::scan);
  ASSERT_NE(tree, nullptr);
  EXPECT_EQ(read_content(*tree, "more"), other.files["more"]);
}

TEST_P(ArchiveTreeTest, GoesOnWithoutADamagedIndex) {
  const ArchiveFile archive = put_archive(directory_.path(), sample_archive(), GetParam());
  scan_archive(archive, {});
  std::string bytes = get_file(archive.index_path());
  for (const std::size_t at :
       {std::size_t{0}, bytes.size() / 3, bytes.size() - 40, bytes.size() - 1}) {
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x20);
    put_file(archive.index_path(), damaged);
    EXPECT_EQ(open(archive), nullptr) << at;
  }
  put_file(archive.index_path(), bytes.substr(0, bytes.size() / 2));
  EXPECT_EQ(open(archive), nullptr);
  put_file(archive.index_path(), "");
  EXPECT_EQ(open(archive), nullptr);
  ASSERT_NE(open(archive, WithoutIndex::scan), nullptr);
  EXPECT_EQ(get_file(archive.index_path()), bytes) << "made again";
}

TEST_P(ArchiveTreeTest, HasNoTreeForOneLargeFrame) {
  if (!GetParam()) return;
  SampleArchive sample = sample_archive();
  sample.files["base/1/9999"] = sample_content(std::size_t{20} << 20, 5);
  if (GetParam() == Algorithm::gzip) return;  // its compressor makes members of 4 MiB
  const ArchiveFile archive = put_archive(directory_.path(), sample, GetParam(), Frames::one);
  EXPECT_EQ(open(archive, WithoutIndex::scan), nullptr);
}

class Collector final : public pipeline::TarVisitor {
 public:
  void begin_member(const pipeline::TarMember& member) override {
    path_ = member.path;
    if (member.type == pipeline::TarMemberType::regular) files[path_];
  }
  void write(Bytes data) override { files[path_] += as_text(data); }
  void end_member() override {}
  std::map<std::string, std::string> files;

 private:
  std::string path_;
};

TEST_P(ArchiveTreeTest, CanBeReadFromTheBeginningInstead) {
  const SampleArchive sample = sample_archive();
  for (const Frames frames : {Frames::many, Frames::one}) {
    const ArchiveFile archive = put_archive(directory_.path(), sample, GetParam(), frames);
    Collector collector;
    std::uint64_t size_read = 0;
    read_archive_sequentially(archive, collector,
                              {.on_read = [&](std::uint64_t size) { size_read += size; }});
    EXPECT_EQ(collector.files, sample.files);
    EXPECT_EQ(size_read, std::filesystem::file_size(archive.path));
    // Cut off anywhere, it is damaged.
    std::filesystem::resize_file(archive.path, std::filesystem::file_size(archive.path) / 2);
    EXPECT_THROW(read_archive_sequentially(archive, collector, {}), Error);
  }
}

TEST(ArchiveFile, IsFoundByItsName) {
  const TemporaryDirectory directory;
  EXPECT_FALSE(find_archive(directory.path(), 0));
  put_file(directory.path() / "base.tar.lz4", "x");
  put_file(directory.path() / "16384.tar", "x");
  const auto base = find_archive(directory.path(), 0);
  ASSERT_TRUE(base);
  EXPECT_EQ(base->algorithm, Algorithm::lz4);
  EXPECT_EQ(base->index_path(), directory.path() / "base.index");
  const auto tablespace = find_archive(directory.path(), 16384);
  ASSERT_TRUE(tablespace);
  EXPECT_FALSE(tablespace->algorithm);
  EXPECT_FALSE(find_archive(directory.path(), 16385));
}

TEST(FrameCache, DecodesAFrameOnce) {
  FrameCache cache(2);
  std::atomic<int> decoded = 0;
  const auto decode = [&] {
    ++decoded;
    return FrameContent{std::make_unique<std::byte[]>(10), 10};
  };
  WorkerPool workers(4);
  for (int i = 0; i < 40; ++i) workers.submit([&] { cache.get(nullptr, 7, decode); });
  workers.wait();
  EXPECT_EQ(decoded, 1);
  cache.get(nullptr, 8, decode);
  cache.get(nullptr, 7, decode);
  EXPECT_EQ(decoded, 2);
  cache.get(nullptr, 9, decode);
  cache.get(nullptr, 7, decode);
  EXPECT_EQ(decoded, 3) << "8 was the oldest";
  cache.get(nullptr, 8, decode);
  EXPECT_EQ(decoded, 4);
}

TEST(FrameCache, TriesAgainAfterAFailure) {
  FrameCache cache(2);
  const auto fail = []() -> FrameContent { throw Error(ErrorKind::corrupt, "damaged"); };
  EXPECT_THROW(cache.get(nullptr, 1, fail), Error);
  EXPECT_EQ(cache.get(nullptr, 1, [] { return FrameContent{nullptr, 0}; })->size_bytes, 0U);
}

// Each names its file in the exception that it gets.
TEST(FrameCache, GivesEachThreadAnErrorOfItsOwn) {
  FrameCache cache(2);
  std::mutex mutex;
  std::vector<std::string> errors;
  for (int round = 0; round < 100; ++round) {
    std::latch all_there(4);
    const auto read = [&] {
      all_there.arrive_and_wait();
      try {
        in_context("reading", [&] {
          cache.get(nullptr, 1, []() -> FrameContent {
            std::this_thread::yield();
            throw Error(ErrorKind::corrupt, "damaged");
          });
        });
      } catch (const Error& error) {
        const std::lock_guard lock(mutex);
        errors.push_back(error.describe());
      }
    };
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) threads.emplace_back(read);
  }
  EXPECT_EQ(errors.size(), 400U);
  EXPECT_THAT(errors, ::testing::Each("reading: damaged"));
}

}  // namespace
}  // namespace barman::stored
