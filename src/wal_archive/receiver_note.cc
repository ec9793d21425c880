#include "wal_archive/receiver_note.h"

#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "base/durable.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/text.h"

namespace barman::wal_archive {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kNoteComponent = "barman.wal_archiver";
constexpr std::size_t kSha256Digits = 64;

fs::path note_path(const fs::path& server_directory) { return server_directory / ".receiver"; }

void read_note_line(const std::vector<std::string>& words, ReceiverNote& note) {
  if (words.size() == 2 && words[0] == "timeline") {
    const auto number = parse_integer(words[1]);
    if (number && *number > 0 && *number <= UINT32_MAX)
      note.timeline = wal::TimelineId{static_cast<std::uint32_t>(*number)};
  } else if (words.size() > 2 && words[0] == "from") {
    const auto pid = parse_integer(words[1]);
    if (!pid || *pid <= 0 || *pid > INT32_MAX) return;
    note.pid = static_cast<pid_t>(*pid);
    note.source = join(std::vector<std::string>(words.begin() + 2, words.end()), " ");
  } else if (words.size() == 5 && words[0] == "end") {
    const auto name = wal::parse_wal_file_name(words[1]);
    const auto begin = wal::parse_lsn(words[2]);
    const auto size = parse_integer(words[3]);
    if (!name || !begin || !size || *size <= 0 || words[4].size() != kSha256Digits) return;
    note.segment = words[1];
    note.end = {.begin = {name->timeline, *begin},
                .size_bytes = static_cast<std::uint64_t>(*size),
                .sha256 = words[4]};
  }
}

}  // namespace

ReceiverNote find_receiver_note(const fs::path& server_directory) {
  ReceiverNote note;
  try {
    const auto text = find_and_read_file(note_path(server_directory));
    if (!text) return note;
    for (const std::string& line : split(*text, '\n')) read_note_line(split_blanks(line), note);
  } catch (const Error& error) {  // As without it.
    log::warning(kNoteComponent, "{}", error.describe());
  }
  return note;
}

void save_receiver_note(const fs::path& server_directory, const ReceiverNote& note) {
  std::string text;
  if (note.timeline) text += fmt::format("timeline {}\n", note.timeline->value);
  if (!note.source.empty()) text += fmt::format("from {} {}\n", note.pid, note.source);
  if (!note.segment.empty()) {
    text += fmt::format("end {} {} {} {}\n", note.segment, wal::format_lsn(note.end.begin.lsn),
                        note.end.size_bytes, note.end.sha256);
  }
  write_file_durably(note_path(server_directory), text);
}

}  // namespace barman::wal_archive
