// Members made of the input, written and read again. Each line of the input is one: its first
// character tells the type, the path is what follows up to a blank, the content the rest.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/text.h"
#include "fuzz_target.h"
#include "pipeline/relative_path.h"
#include "pipeline/tar_reader.h"
#include "pipeline/tar_writer.h"

namespace {

using namespace barman::pipeline;

struct Entry {
  TarMember member;
  std::string content;
};

class Memory final : public Sink {
 public:
  void write(barman::Bytes data) override { bytes += barman::as_text(data); }
  void finish() override {}
  std::string bytes;
};

class MemberCollector final : public TarVisitor {
 public:
  void begin_member(const TarMember& member) override { entries.push_back({member, ""}); }
  void write(barman::Bytes data) override { entries.back().content += barman::as_text(data); }
  void end_member() override {}
  std::vector<Entry> entries;
};

std::vector<Entry> make_entries(std::string_view text) {
  std::vector<Entry> entries;
  for (const std::string& line : barman::split(text, '\n')) {
    if (line.size() < 2) continue;
    const std::size_t blank = std::min(line.find(' '), line.size());
    Entry entry{.member = {.path = line.substr(1, blank - 1), .mode = 0640, .mtime = 1795225416}};
    // No text of the operating system holds a NUL.
    if (line.find('\0') < blank || !is_safe_relative_path(entry.member.path)) continue;
    const std::string rest = line.substr(std::min(blank + 1, line.size()));
    if (line.front() == 'd') {
      entry.member.type = TarMemberType::directory;
    } else if (line.front() == 'l' && !rest.empty() && rest.find('\0') == std::string::npos) {
      entry.member.type = TarMemberType::symlink;
      entry.member.link_target = rest;
    } else {
      entry.content = rest;
      entry.member.size_bytes = rest.size();
    }
    entries.push_back(std::move(entry));
  }
  return entries;
}

std::string write_archive(const std::vector<Entry>& entries) {
  Memory memory;
  TarWriter writer(memory);
  for (const Entry& entry : entries) {
    if (entry.member.type == TarMemberType::regular) {
      writer.add_file(entry.member, entry.content);
    } else {
      writer.begin_member(entry.member);
      writer.end_member();
    }
  }
  writer.finish();
  return memory.bytes;
}

}  // namespace

BARMAN_FUZZ_TARGET(tar_round_trip) {
  const std::vector<Entry> entries = make_entries({reinterpret_cast<const char*>(data), size});
  MemberCollector collector;
  TarReader reader(collector, "archive");
  reader.write(barman::as_bytes(write_archive(entries)));
  reader.finish();
  if (collector.entries.size() != entries.size()) std::abort();
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const TarMember& wrote = entries[i].member;
    const TarMember& read = collector.entries[i].member;
    if (read.path != wrote.path || read.type != wrote.type || read.mode != wrote.mode ||
        read.mtime != wrote.mtime || read.link_target != wrote.link_target ||
        collector.entries[i].content != entries[i].content) {
      std::abort();
    }
  }
  return 0;
}
