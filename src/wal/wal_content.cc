#include "wal/wal_content.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <string_view>

#include <fmt/format.h>

#include "wal/segment_header.h"

namespace barman::wal {
namespace {

using Fault = ContentProblem::Fault;

constexpr std::size_t kShownBytes = 24;

// For a message: what is not printable as \xNN.
std::string quote_begin(std::string_view text) {
  std::string shown;
  for (const char byte : text.substr(0, kShownBytes)) {
    const auto code = static_cast<unsigned char>(byte);
    shown += std::isprint(code) != 0 && byte != '"' ? std::string(1, byte)
                                                    : fmt::format("\\x{:02x}", code);
  }
  return shown;
}

// The next line, without its newline.
std::string_view take_line(std::string_view& text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

std::string_view take_word(std::string_view& line) {
  constexpr std::string_view kBlanks = " \t\r";
  const std::size_t begin = std::min(line.find_first_not_of(kBlanks), line.size());
  line.remove_prefix(begin);
  const std::size_t end = std::min(line.find_first_of(kBlanks), line.size());
  const std::string_view word = line.substr(0, end);
  line.remove_prefix(end);
  return word;
}

// "1<TAB>0/3000158<TAB>reason": the timeline; nullopt for anything else.
std::optional<std::uint32_t> parse_ancestor(std::string_view line) {
  const std::string_view digits = take_word(line);
  std::uint32_t timeline = 0;
  const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), timeline);
  if (code != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  if (!parse_lsn(take_word(line))) return std::nullopt;
  return timeline;
}

}  // namespace

std::uint64_t ContentCheck::wanted_bytes() const {
  const bool is_text = name_.kind == WalFileKind::history || name_.kind == WalFileKind::backup;
  return is_text ? kMaxWalTextBytes : kSegmentHeaderSize;
}

void ContentCheck::add(Bytes data) {
  size_bytes_ += data.size();
  if (begin_.size() >= wanted_bytes()) return;
  begin_ += as_text(data.first(static_cast<std::size_t>(
      std::min<std::uint64_t>(data.size(), wanted_bytes() - begin_.size()))));
}

std::optional<ContentProblem> ContentCheck::find_problem() const {
  if (size_bytes_ == 0) return ContentProblem{Fault::unfinished, "it is empty"};
  switch (name_.kind) {
    case WalFileKind::segment:
    case WalFileKind::partial:
      return find_segment_problem();
    case WalFileKind::history:
      return find_history_problem();
    case WalFileKind::backup:
      return find_label_problem();
  }
  return std::nullopt;
}

std::optional<ContentProblem> ContentCheck::find_segment_problem() const {
  const bool is_partial = name_.kind == WalFileKind::partial;
  const bool is_zero =
      std::all_of(begin_.begin(), begin_.end(), [](char byte) { return byte == '\0'; });
  if (is_zero && (is_partial || expectation_.may_be_unwritten)) return std::nullopt;
  if (is_zero) return ContentProblem{Fault::unfinished, "it begins with zeroes"};
  const bool is_short = begin_.size() < kSegmentHeaderSize;
  if (!has_segment_magic(as_bytes(begin_))) {
    return ContentProblem{
        Fault::foreign,
        fmt::format("it begins with \"{}\", not as a WAL segment does", quote_begin(begin_))};
  }
  if (is_short) {
    return ContentProblem{Fault::unfinished, fmt::format("it has {} bytes only", size_bytes_)};
  }
  const std::optional<SegmentHeader> header = parse_segment_header(as_bytes(begin_));
  if (!header) return ContentProblem{Fault::foreign, "the header of its first page is damaged"};
  std::string text = segment_problem(name_.name, *header, expectation_.system_id);
  if (!text.empty()) {
    const bool is_other = expectation_.system_id && header->system_id != *expectation_.system_id;
    return ContentProblem{is_other ? Fault::other_cluster : Fault::foreign, std::move(text)};
  }
  if (size_bytes_ == header->segment_size || (is_partial && size_bytes_ < header->segment_size)) {
    return std::nullopt;
  }
  return ContentProblem{size_bytes_ < header->segment_size ? Fault::unfinished : Fault::foreign,
                        fmt::format("it has {} bytes, its header tells a segment size of {}",
                                    size_bytes_, header->segment_size)};
}

std::optional<ContentProblem> ContentCheck::find_history_problem() const {
  if (size_bytes_ > kMaxWalTextBytes) {
    return ContentProblem{Fault::foreign, fmt::format("it has {} bytes", size_bytes_)};
  }
  std::uint32_t last = 0;
  for (std::string_view text = begin_; !text.empty();) {
    const std::string_view line = take_line(text);
    std::string_view rest = line;
    const std::string_view word = take_word(rest);
    if (word.empty() || word.starts_with('#')) continue;
    const std::optional<std::uint32_t> timeline = parse_ancestor(line);
    if (!timeline) {
      return ContentProblem{
          Fault::foreign,
          fmt::format("its line \"{}\" is none of a timeline history file", quote_begin(line))};
    }
    if (*timeline <= last || *timeline >= name_.timeline.value) {
      return ContentProblem{Fault::foreign,
                            fmt::format("timeline {} cannot be an ancestor there", *timeline)};
    }
    last = *timeline;
  }
  if (last != 0) return std::nullopt;
  return ContentProblem{Fault::unfinished, "it names no ancestor of the timeline"};
}

std::optional<ContentProblem> ContentCheck::find_label_problem() const {
  constexpr std::string_view kStart = "START WAL LOCATION: ";
  constexpr std::string_view kStop = "\nSTOP WAL LOCATION: ";
  const std::string_view text = begin_;
  if (size_bytes_ > kMaxWalTextBytes || !text.starts_with(kStart.substr(0, text.size()))) {
    return ContentProblem{
        Fault::foreign,
        fmt::format("it begins with \"{}\", not as a backup history file does", quote_begin(text))};
  }
  const std::string_view line = text.substr(0, text.find('\n'));
  if (line.size() < text.size() && line.find("(file " + name_.segment() + ")") == line.npos) {
    return ContentProblem{Fault::foreign, "it belongs to another segment"};
  }
  if (text.find(kStop) != text.npos) return std::nullopt;
  return ContentProblem{Fault::unfinished, "it has no STOP WAL LOCATION"};
}

}  // namespace barman::wal
