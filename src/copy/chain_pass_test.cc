#include "copy/chain_pass.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <random>
#include <set>

#include "copy/passed_chain.h"
#include "copy/test_support.h"
#include "stored/plain_tree.h"
#include "stored/reconstructed_file.h"
#include "stored/test_support.h"

namespace barman::copy {
namespace {

namespace fs = std::filesystem;
using stored::blocks_of;
using stored::incremental_content;
using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

constexpr const char* kListed = "base/5/1259";

ChainPass::Source source_of(const std::string& content, const std::string& name) {
  return {.open = in_memory(content), .name = name, .expected = expected_of(content)};
}

// One file of a chain; what each backup has of it, newest first.
class ChainPassTest : public testing::Test {
 protected:
  struct Link {
    std::string content;
    bool is_incremental = true;
  };

  void pass(const std::vector<Link>& links) {
    ChainPass chain(2, progress_, interrupt_);
    chain.begin_backup();
    chain.add({.listed = kListed,
               .destination = path_,
               .mode = 0640,
               .modified = {.tv_sec = 1700000000, .tv_nsec = 5000}},
              source_of(links.front().content, "backup 0"));
    chain.end_backup();
    for (std::size_t link = 1; link < links.size(); ++link) {
      chain.begin_backup();
      chain.offer(kListed, links[link].is_incremental,
                  source_of(links[link].content, "backup " + std::to_string(link)));
      chain.end_backup();
    }
    chain.finish(combined_);
  }
  // One letter for each block, '0' for zeroes.
  static std::string letters(const fs::path& path) {
    std::string letters;
    const std::string content = get_file(path);
    for (std::size_t offset = 0; offset < content.size(); offset += stored::kBlockSize) {
      const std::string block = content.substr(offset, stored::kBlockSize);
      EXPECT_EQ(block, std::string(stored::kBlockSize, block[0]));
      letters += block[0] == '\0' ? '0' : block[0];
    }
    return letters;
  }
  std::string passed(const std::vector<Link>& links) {
    pass(links);
    return letters(path_);
  }

  const TemporaryDirectory directory_;
  const fs::path path_ = directory_.path() / "1259";
  NoProgress progress_;
  const Interrupt interrupt_{};
  CombinedManifest combined_;
};

TEST_F(ChainPassTest, TakesEachBlockFromTheNewestBackupThatHasIt) {
  EXPECT_EQ(passed({{incremental_content({3, 5}, 6, 'c')},
                    {incremental_content({1, 2, 3}, 6, 'b')},
                    {blocks_of("aaaaaa"), false}}),
            "abbcac");
}

TEST_F(ChainPassTest, WhatWasCutOffDoesNotComeBack) {
  EXPECT_EQ(passed({{incremental_content({4}, 2, 'c')},
                    {incremental_content({2, 3}, 6, 'b')},
                    {blocks_of("aaaaaa"), false}}),
            "aa00c");
  EXPECT_EQ(passed({{incremental_content({}, 3, 'c')}, {blocks_of("aaaaaa"), false}}), "aaa");
  EXPECT_EQ(passed({{incremental_content({3}, 4, 'c')}, {blocks_of("a"), false}}), "a00c");
}

TEST_F(ChainPassTest, EndsAtTheFirstWholeFile) {
  // The last one is not even opened.
  ChainPass chain(2, progress_, interrupt_);
  chain.begin_backup();
  chain.add({.listed = kListed, .destination = path_},
            source_of(incremental_content({0}, 2, 'c'), "c"));
  chain.end_backup();
  chain.begin_backup();
  chain.offer(kListed, false, source_of(blocks_of("bb"), "b"));
  chain.offer("base/5/1260", false, {.open = unwanted, .name = "of no incremental file"});
  chain.end_backup();
  chain.begin_backup();
  chain.offer(kListed, false, {.open = unwanted, .name = "a"});
  chain.end_backup();
  chain.finish(combined_);
  EXPECT_EQ(letters(path_), "cb");
}

TEST_F(ChainPassTest, NeedsAWholeFile) {
  EXPECT_THAT(refusal_of([&] {
                pass({{incremental_content({0}, 2, 'b')}, {incremental_content({1}, 2, 'a')}});
              }),
              AllOf(StartsWith("corrupt: "), HasSubstr(kListed), HasSubstr("cannot be completed")));
}

TEST_F(ChainPassTest, ComparesEverySourceWithItsManifestAlsoWhatItDoesNotNeed) {
  const std::vector<Link> links = {{incremental_content({1}, 3, 'c')},
                                   {incremental_content({1}, 3, 'b')},
                                   {blocks_of("aaaa"), false}};
  for (std::size_t damaged = 0; damaged < links.size(); ++damaged) {
    ChainPass chain(1, progress_, interrupt_);
    const auto source = [&](std::size_t link) {
      ChainPass::Source made = source_of(links[link].content, "backup " + std::to_string(link));
      if (link == damaged) made.open = in_memory(with_last_byte_changed(links[link].content));
      return made;
    };
    EXPECT_THAT(refusal_of([&] {
                  chain.begin_backup();
                  chain.add({.listed = kListed, .destination = path_}, source(0));
                  chain.end_backup();
                  for (std::size_t link = 1; link < links.size(); ++link) {
                    chain.begin_backup();
                    chain.offer(kListed, links[link].is_incremental, source(link));
                    chain.end_backup();
                  }
                }),
                AllOf(StartsWith("corrupt: "), HasSubstr("backup " + std::to_string(damaged)),
                      HasSubstr("checksum")));
  }
}

TEST_F(ChainPassTest, AFileThatEndsBeforeItsBlocksIsRefused) {
  const std::string content = incremental_content({0, 1}, 2, 'c');
  ChainPass chain(1, progress_, interrupt_);
  chain.begin_backup();
  chain.add({.listed = kListed, .destination = path_},
            {.open = in_memory(content.substr(0, content.size() - 1)), .name = "short"});
  EXPECT_THAT(refusal_of([&] { chain.end_backup(); }),
              AllOf(StartsWith("corrupt: "), HasSubstr("\"short\" is shorter than its header")));
}

TEST_F(ChainPassTest, TheFileHasItsModeAndTimeAndItsChecksumIsTold) {
  pass({{incremental_content({0}, 2, 'b')}, {blocks_of("aa"), false}});
  struct stat status = {};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0640U);
  EXPECT_EQ(status.st_mtim.tv_sec, 1700000000);
  EXPECT_EQ(status.st_mtim.tv_nsec, 5000);
  const fs::path manifest = directory_.path() / "backup_manifest";
  combined_.write(put_manifest(manifest, {{"base/5/INCREMENTAL.1259", "x"}}), manifest);
  const auto listed = stored::ManifestIndex::load(manifest)->find(kListed);
  ASSERT_TRUE(listed);
  EXPECT_EQ(listed->size_bytes, 2 * stored::kBlockSize);
  EXPECT_EQ(listed->checksum, digest_of(DigestAlgorithm::crc32c, blocks_of("ba")));
}

// Whatever the chain is, both ways to put a file together give what PostgreSQL's rule says: of each
// block below the truncation length of the newest file the newest content there is, and behind it
// only what the newest file itself has.
TEST_F(ChainPassTest, AgreesWithReadingAtRandom) {
  std::mt19937 random(7);
  const auto below = [&](std::uint32_t end) { return static_cast<std::uint32_t>(random() % end); };
  constexpr std::size_t kFiles = 25;
  // Of each file what the backups have, newest first, and what it must become.
  std::vector<std::vector<Link>> files(kFiles);
  std::vector<std::string> expected(kFiles);
  for (std::size_t file = 0; file < kFiles; ++file) {
    // Long runs, too: more blocks than are read at once.
    const std::uint32_t largest = file == 0 ? 300 : 8;
    const std::string whole(below(largest + 1), 'a');
    std::vector<Link>& links = files[file];
    links = {{blocks_of(whole), false}};
    std::map<std::uint32_t, char> known;
    for (std::uint32_t block = 0; block < whole.size(); ++block) known[block] = 'a';
    for (char letter = 'b'; letter <= 'd'; ++letter) {
      const std::uint32_t truncation = below(largest);
      std::vector<std::uint32_t> blocks;
      for (std::uint32_t block = 0; block < largest; ++block) {
        if (below(3) > 0) blocks.push_back(block);
      }
      links.insert(links.begin(), {incremental_content(blocks, truncation, letter)});
      std::string& content = expected[file];
      content = std::string(std::max(truncation, blocks.empty() ? 0 : blocks.back() + 1), '0');
      for (const auto& [block, older] : known) {
        if (block < truncation) content[block] = older;
      }
      for (const std::uint32_t block : blocks) content[block] = known[block] = letter;
    }
  }
  ChainPass chain(2, progress_, interrupt_);
  for (std::size_t link = 0; link < 4; ++link) {
    chain.begin_backup();
    for (std::size_t file = 0; file < kFiles; ++file) {
      const std::string name = std::to_string(file);
      const Link& part = files[file][link];
      if (link == 0) {
        chain.add({.listed = name, .destination = directory_.path() / name},
                  source_of(part.content, name));
      } else {
        chain.offer(name, part.is_incremental, source_of(part.content, name));
      }
    }
    chain.end_backup();
  }
  chain.finish(combined_);
  for (std::size_t file = 0; file < kFiles; ++file) {
    const fs::path path = directory_.path() / std::to_string(file);
    EXPECT_EQ(letters(path), expected[file]) << file;
    std::vector<stored::ReconstructionSource> sources;
    for (const Link& link : files[file]) {
      auto reader = std::make_unique<stored::CheckedReader>(stored::make_text_file(link.content),
                                                            "x", expected_of(link.content));
      std::optional<stored::IncrementalHeader> header;
      if (link.is_incremental) header = stored::read_incremental_header(*reader, "x");
      sources.push_back({std::move(reader), std::move(header)});
    }
    stored::ReconstructedFile reconstructed(std::move(sources));
    std::string read(reconstructed.size_bytes(), '?');
    ASSERT_EQ(reconstructed.read_at(0, std::as_writable_bytes(std::span(read))), read.size());
    EXPECT_EQ(get_file(path), read) << file;
  }
}

// The files of a chain on disk: a data directory and a tablespace.
class PassedChainTest : public testing::Test {
 protected:
  struct Backup {
    std::map<std::string, std::string> data;
    std::map<std::string, std::string> tablespace;
  };

  std::shared_ptr<stored::ManifestIndex> put(const std::string& name, const Backup& backup) {
    std::map<std::string, std::string> listed = backup.data;
    for (const auto& [path, content] : backup.data) put_file(root_ / name / path, content);
    for (const auto& [path, content] : backup.tablespace) {
      put_file(root_ / (name + "_ts") / path, content);
      listed["pg_tblspc/16384/" + path] = content;
    }
    return std::make_shared<stored::ManifestIndex>(
        *stored::ManifestIndex::load(put_manifest(root_ / name / "backup_manifest", listed)));
  }
  stored::ChainMember member(const std::string& name, const Backup& backup) {
    std::shared_ptr<stored::ManifestIndex> manifest = put(name, backup);
    return {.info = {},
            .trees = {{.oid = 16384,
                       .content = std::make_shared<stored::PlainTree>(root_ / (name + "_ts"))},
                      {.content = std::make_shared<stored::PlainTree>(root_ / name)}},
            .manifest = std::move(manifest)};
  }

  const TemporaryDirectory directory_;
  const fs::path root_ = directory_.path();
};

TEST_F(PassedChainTest, PutsTogetherRelationsAndLeavesTheRestToItsCaller) {
  const std::string label =
      "START WAL LOCATION: 0/5000028 (file 000000010000000000000005)\n"
      "INCREMENTAL FROM LSN: 0/2000028\nINCREMENTAL FROM TLI: 1\n";
  const std::string mine = incremental_content({0}, 1, 'm');
  const stored::ChainMember newest =
      member("new", {.data = {{"PG_VERSION", "17\n"},
                              {"backup_label", label},
                              {"base/5/INCREMENTAL.1259", incremental_content({1}, 3, 'b')},
                              {"scripts/INCREMENTAL.1", mine}},
                     .tablespace = {{"PG_17_1/5/INCREMENTAL.1", incremental_content({0}, 2, 'b')},
                                    {"PG_17_1/5/2", "whole"}}});
  std::vector<stored::ChainMember> older = {
      member("old", {.data = {{"base/5/1259", blocks_of("aaa")}, {"base/5/1", blocks_of("x")}},
                     .tablespace = {{"PG_17_1/5/1", blocks_of("aa")}}})};
  fs::create_directories(root_ / "pg/base/5");
  fs::create_directories(root_ / "pg/scripts");
  fs::create_directories(root_ / "ts/PG_17_1/5");

  NoProgress progress;
  const Interrupt interrupt{};
  CombinedManifest combined;
  std::set<std::string> left;
  {
    FileCopier copier({}, progress, interrupt);
    PassedChain chain(std::move(older), label, 2, progress, interrupt);
    for (const stored::BackupTree& tree : newest.trees) {
      const TaskOrigin origin{.tree = *tree.content,
                              .manifest_prefix = tree.manifest_prefix(),
                              .manifest = newest.manifest.get(),
                              .combined = combined};
      const PassedChain::Place place{tree.is_data_directory() ? root_ / "pg" : root_ / "ts",
                                     tree.is_data_directory()};
      tree.content->read_through(
          [&](const stored::Entry& entry, const stored::ContentOpener& open) {
            if (entry.is_directory) return;
            if (!chain.take(origin, place, entry, open, copier)) left.insert(entry.path);
          });
    }
    chain.read_older(combined);
    copier.wait();
  }
  EXPECT_THAT(left, testing::ElementsAre("PG_17_1/5/2", "PG_VERSION", "scripts/INCREMENTAL.1"));
  EXPECT_EQ(get_file(root_ / "pg/base/5/1259"), blocks_of("aba"));
  EXPECT_EQ(get_file(root_ / "ts/PG_17_1/5/1"), blocks_of("ba"));
  const std::string full_label = "START WAL LOCATION: 0/5000028 (file 000000010000000000000005)\n";
  EXPECT_EQ(get_file(root_ / "pg/backup_label"), full_label);
  EXPECT_FALSE(fs::exists(root_ / "pg/backup_manifest")) << "it is made anew";
  combined.write(root_ / "new/backup_manifest", root_ / "pg/backup_manifest");
  const auto index = stored::ManifestIndex::load(root_ / "pg/backup_manifest");
  EXPECT_EQ(index->find("pg_tblspc/16384/PG_17_1/5/1")->checksum,
            digest_of(DigestAlgorithm::crc32c, blocks_of("ba")));
  EXPECT_EQ(index->find("backup_label")->checksum, digest_of(DigestAlgorithm::crc32c, full_label));
  EXPECT_EQ(index->find("scripts/INCREMENTAL.1")->checksum, expected_of(mine).checksum);
}

}  // namespace
}  // namespace barman::copy
