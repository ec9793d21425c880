// The format is described in docs/formats/backup_manifest.md.
#include "postgres/backup_manifest.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <vector>

#include "base/error.h"
#include "base/text.h"
#include "pipeline/relative_path.h"
#include "postgres/manifest_tokens.h"

namespace barman::postgres {
namespace {

// Longer than any line of a manifest of PostgreSQL; bounds our memory.
constexpr std::size_t kMaxLine = 1024 * 1024;
constexpr std::size_t kReadSize = 256 * 1024;

// SHA-256 over all lines but the last, which holds the checksum itself. Bytes after the last but
// one newline are held back.
class LinesDigest {
 public:
  void feed(Bytes chunk) {
    const std::string_view text = as_text(chunk);
    // While more follows, every complete line but the newest belongs to the digest. The newest one
    // is held back, because it is the last if only bytes without a newline follow.
    const std::size_t last = text.rfind('\n');
    if (last == std::string_view::npos) {
      hold(text);
      return;
    }
    const std::size_t previous = last == 0 ? std::string_view::npos : text.rfind('\n', last - 1);
    if (previous != std::string_view::npos) {
      digest_.update(as_bytes(held_));
      digest_.update(as_bytes(text.substr(0, previous + 1)));
      held_.clear();
      hold(text.substr(previous + 1));
      return;
    }
    release_complete_line();
    hold(text);
  }

  // What the digest leaves out: the last line.
  std::string_view last_line() {
    // Without a newline at the end of the file, the line that was held back is not the last one.
    if (!held_.empty() && held_.back() != '\n') release_complete_line();
    return held_;
  }
  std::string finish() { return digest_.finish(); }

 private:
  void release_complete_line() {
    const std::size_t newline = held_.find('\n');
    if (newline == std::string::npos) return;
    digest_.update(as_bytes(std::string_view(held_).substr(0, newline + 1)));
    held_.erase(0, newline + 1);
  }

  void hold(std::string_view text) {
    if (held_.size() + text.size() > 2 * kMaxLine) throw_bad_manifest("a line is too long");
    held_.append(text);
  }

  Digest digest_{DigestAlgorithm::sha256};
  std::string held_;
};

std::uint64_t parse_unsigned(const std::string& text, std::string_view key) {
  std::uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end)
    throw_bad_manifest(fmt::format("\"{}\" is not a number: \"{}\"", key, text));
  return value;
}

wal::Lsn parse_lsn_value(const std::string& text, std::string_view key) {
  const std::optional<wal::Lsn> lsn = wal::parse_lsn(text);
  if (!lsn) throw_bad_manifest(fmt::format("\"{}\" is not an LSN: \"{}\"", key, text));
  return *lsn;
}

std::string decode_hex(const std::string& text, std::string_view key) {
  if (text.size() % 2 != 0) throw_bad_manifest(fmt::format("\"{}\" is not hexadecimal", key));
  std::string bytes;
  bytes.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    unsigned value = 0;
    const char* end = text.data() + i + 2;
    if (std::from_chars(text.data() + i, end, value, 16).ptr != end)
      throw_bad_manifest(fmt::format("\"{}\" is not hexadecimal", key));
    bytes.push_back(static_cast<char>(value));
  }
  return bytes;
}

std::size_t hex_size(DigestAlgorithm algorithm) {
  switch (algorithm) {
    case DigestAlgorithm::none:
      return 0;
    case DigestAlgorithm::crc32c:
      return 8;
    case DigestAlgorithm::md5:
      return 32;
    case DigestAlgorithm::sha224:
      return 56;
    case DigestAlgorithm::sha256:
      return 64;
    case DigestAlgorithm::sha384:
      return 96;
    case DigestAlgorithm::sha512:
      return 128;
  }
  return 0;
}

// A path that leaves the data directory would let a manifest choose files of the host.
void require_inside(const std::string& path) {
  if (!pipeline::is_safe_relative_path(path))
    throw_bad_manifest("path outside the data directory: \"" + path + "\"");
}

}  // namespace

void throw_bad_manifest(const std::string& reason) {
  throw Error(ErrorKind::corrupt, "backup manifest: " + reason,
              "Take a new backup, or restore the manifest from another copy.");
}

// The grammar of a manifest on top of the tokens.
struct ManifestParser::State {
  explicit State(ManifestVisitor& target) : visitor(target), tokenizer(*this) {}

  enum class Where { top, files, file, wal_ranges, wal_range };
  enum class Need { begin, first_key, key, colon, value, next, first_element, element, nothing };

  void on_punctuation(char c) {
    switch (c) {
      case '{':
        begin_object();
        return;
      case '}':
        end_object();
        return;
      case '[':
        begin_array();
        return;
      case ']':
        end_array();
        return;
      case ',':
        if (need != Need::next) throw_unexpected(",");
        need = in_array() ? Need::element : Need::key;
        return;
      default:
        if (need != Need::colon) throw_unexpected(":");
        need = Need::value;
    }
  }

  void on_string(std::string& text) {
    if (need == Need::first_key || need == Need::key) {
      key.swap(text);
      need = Need::colon;
      if (where == Where::top) check_top_key();
      return;
    }
    if (need != Need::value) throw_unexpected("a string");
    need = Need::next;
    if (where == Where::file) {
      take_file_text(text);
    } else if (where == Where::wal_range) {
      take_range_text(text);
    } else if (key == "Manifest-Checksum") {
      checksum.emplace(text);
    } else {
      throw_unexpected("a string");
    }
  }

  void on_number(std::string& text) {
    if (need != Need::value) throw_unexpected("a number");
    need = Need::next;
    const std::uint64_t number = parse_unsigned(text, key);
    if (where == Where::file && key == "Size") {
      file.size_bytes = number;
      has_size = true;
    } else if (where == Where::wal_range && key == "Timeline" && number <= 0xFFFFFFFFU) {
      range.timeline = {static_cast<std::uint32_t>(number)};
      has_timeline = true;
    } else if (where == Where::top && key == "System-Identifier") {
      visitor.on_system_id({number});
    } else if (where == Where::top && key == "PostgreSQL-Backup-Manifest-Version") {
      take_version(number);
    } else {
      throw_bad_manifest(fmt::format("unexpected number for \"{}\"", key));
    }
  }

  void take_version(std::uint64_t number) {
    if (number != 1 && number != 2) throw_bad_manifest(fmt::format("unknown version {}", number));
    visitor.on_version(static_cast<int>(number));
  }

  bool in_array() const { return where == Where::files || where == Where::wal_ranges; }

  [[noreturn]] void throw_unexpected(std::string_view what) const {
    throw_bad_manifest(key.empty() ? fmt::format("unexpected {}", what)
                                   : fmt::format("unexpected {} near \"{}\"", what, key));
  }

  void check_top_key() {
    if (!has_first_key && key != "PostgreSQL-Backup-Manifest-Version")
      throw_bad_manifest("its version is not the first key");
    const bool is_repeated =
        std::find(top_keys.begin(), top_keys.end(), key) != top_keys.end() || checksum;
    // Unknown keys are refused: what they mean for a restore is not known.
    const bool is_known = key == "PostgreSQL-Backup-Manifest-Version" ||
                          key == "System-Identifier" || key == "Files" || key == "WAL-Ranges" ||
                          key == "Manifest-Checksum";
    if (!is_known || is_repeated) throw_bad_manifest(fmt::format("unexpected key \"{}\"", key));
    has_first_key = true;
    top_keys.push_back(key);
  }

  void begin_object() {
    if (need == Need::begin) {
      need = Need::first_key;
      return;
    }
    if (!in_array() || (need != Need::first_element && need != Need::element))
      throw_unexpected("{");
    where = where == Where::files ? Where::file : Where::wal_range;
    file = {};
    range = {};
    has_path = has_size = has_timeline = has_start = has_end = false;
    algorithm.reset();
    need = Need::first_key;
  }

  void end_object() {
    if (in_array() || need != Need::next) throw_unexpected("}");
    switch (where) {
      case Where::file:
        end_file();
        where = Where::files;
        return;
      case Where::wal_range:
        if (!has_timeline || !has_start || !has_end) throw_bad_manifest("incomplete WAL range");
        visitor.on_wal_range(range);
        where = Where::wal_ranges;
        return;
      default:
        if (!checksum) throw_bad_manifest("it has no checksum");
        need = Need::nothing;
    }
  }

  void end_file() {
    if (!has_path) throw_bad_manifest("a file without path");
    if (!has_size) throw_bad_manifest(fmt::format("file \"{}\" has no size", file.path));
    file.algorithm = algorithm.value_or(DigestAlgorithm::none);
    if (file.checksum.size() != hex_size(file.algorithm) ||
        file.checksum.find_first_not_of("0123456789abcdef") != std::string::npos) {
      throw_bad_manifest(
          fmt::format("invalid checksum for file \"{}\": \"{}\"", file.path, file.checksum));
    }
    visitor.on_file(file);
  }

  void begin_array() {
    if (where != Where::top || need != Need::value || (key != "Files" && key != "WAL-Ranges"))
      throw_unexpected("[");
    where = key == "Files" ? Where::files : Where::wal_ranges;
    need = Need::first_element;
  }

  void end_array() {
    if (!in_array() || (need != Need::first_element && need != Need::next)) throw_unexpected("]");
    where = Where::top;
    need = Need::next;
  }

  void take_file_text(std::string& text) {
    if (key == "Path" || key == "Encoded-Path") {
      if (has_path) throw_bad_manifest("a file with two paths");
      file.path = key == "Path" ? text : decode_hex(text, key);
      require_inside(file.path);
      has_path = true;
    } else if (key == "Last-Modified") {
      file.last_modified = text;
    } else if (key == "Checksum-Algorithm") {
      algorithm = parse_manifest_algorithm(text);
      if (!algorithm) throw_bad_manifest(fmt::format("unknown checksum algorithm \"{}\"", text));
    } else if (key == "Checksum") {
      file.checksum = to_lower(text);
    } else {
      throw_bad_manifest(fmt::format("unexpected key \"{}\" for a file", key));
    }
  }

  void take_range_text(const std::string& text) {
    if (key == "Start-LSN") {
      range.start = parse_lsn_value(text, key);
      has_start = true;
    } else if (key == "End-LSN") {
      range.end = parse_lsn_value(text, key);
      has_end = true;
    } else {
      throw_bad_manifest(fmt::format("unexpected key \"{}\" for a WAL range", key));
    }
  }

  ManifestVisitor& visitor;
  ManifestTokenizer<State> tokenizer;
  LinesDigest lines;
  Where where = Where::top;
  Need need = Need::begin;
  std::string key;
  std::vector<std::string> top_keys;
  bool has_first_key = false;
  std::optional<std::string> checksum;

  ManifestFile file;
  std::optional<DigestAlgorithm> algorithm;
  bool has_path = false;
  bool has_size = false;

  ManifestWalRange range;
  bool has_timeline = false;
  bool has_start = false;
  bool has_end = false;
};

ManifestParser::ManifestParser(ManifestVisitor& visitor)
    : state_(std::make_unique<State>(visitor)) {}

ManifestParser::~ManifestParser() = default;

void ManifestParser::feed(Bytes chunk) {
  state_->lines.feed(chunk);
  state_->tokenizer.feed(as_text(chunk));
}

void ManifestParser::finish() {
  state_->tokenizer.finish();
  if (state_->need != State::Need::nothing) throw_bad_manifest("it ends too early");
  // Everything that was reported must lie before the last line, or it would not be covered.
  if (!strip(state_->lines.last_line()).starts_with("\"Manifest-Checksum\""))
    throw_bad_manifest("its checksum is not alone on the last line");
  const std::string computed = state_->lines.finish();
  if (to_lower(*state_->checksum) != computed) {
    throw_bad_manifest(
        fmt::format("its checksum is {}, but its content has {}", *state_->checksum, computed));
  }
}

void parse_backup_manifest(const ChunkSource& next_chunk, ManifestVisitor& visitor) {
  ManifestParser parser(visitor);
  for (Bytes chunk = next_chunk(); !chunk.empty(); chunk = next_chunk()) parser.feed(chunk);
  parser.finish();
}

void parse_backup_manifest_file(const std::filesystem::path& path, ManifestVisitor& visitor) {
  const Fd fd = open_file(path, O_RDONLY);
  std::vector<std::byte> buffer(kReadSize);
  in_context("reading \"" + path.string() + "\"", [&] {
    parse_backup_manifest([&] { return Bytes(buffer).first(read_full(fd, buffer, path)); },
                          visitor);
  });
}

}  // namespace barman::postgres
