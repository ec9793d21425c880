#include "pipeline/tar_reader.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/text.h"
#include "pipeline/relative_path.h"

namespace barman::pipeline {
namespace {

// Long names and PAX records: far more than a path can have, far less than memory.
constexpr std::uint64_t kMaxExtensionSize = std::uint64_t{1} << 20;

// A header's fields: offset and length in the block.
struct Field {
  std::size_t offset;
  std::size_t size;
};
constexpr Field kName{0, 100};
constexpr Field kMode{100, 8};
constexpr Field kUid{108, 8};
constexpr Field kGid{116, 8};
constexpr Field kSize{124, 12};
constexpr Field kMtime{136, 12};
constexpr Field kChecksum{148, 8};
constexpr std::size_t kTypeFlagOffset = 156;
constexpr Field kLinkName{157, 100};
constexpr Field kMagic{257, 8};
constexpr Field kPrefix{345, 155};

Bytes field_of(Bytes block, Field field) { return block.subspan(field.offset, field.size); }

// The text before the first NUL.
std::string_view text_of(Bytes field) {
  const std::string_view text = as_text(field);
  return text.substr(0, text.find('\0'));
}

bool is_all_zero(Bytes block) {
  return std::all_of(block.begin(), block.end(),
                     [](std::byte byte) { return byte == std::byte{}; });
}

}  // namespace

TarReader::TarReader(TarVisitor& visitor, std::string archive_name, TarEnd end, TarTypes types)
    : visitor_(visitor), archive_name_(std::move(archive_name)), end_(end), types_(types) {}

void TarReader::write(Bytes data) {
  while (!data.empty()) {
    std::size_t taken = 0;
    switch (state_) {
      case State::header:
      case State::end:
        taken = take_header(data);
        break;
      case State::content:
      case State::extension:
      case State::skip:
        taken = take_content(data);
        break;
      case State::padding:
        taken = std::min(padding_left_, data.size());
        padding_left_ -= taken;
        if (padding_left_ == 0) state_ = State::header;
        break;
    }
    offset_ += taken;
    data = data.subspan(taken);
  }
}

void TarReader::finish() {
  const bool is_between_members = state_ == State::header || state_ == State::end;
  const bool is_extension_pending = !next_path_.empty() || !next_link_.empty() || has_next_size_;
  if (!is_between_members || block_fill_ != 0 || is_extension_pending)
    fail("the archive is cut off");
  if (end_ == TarEnd::required && !has_end_marker())
    fail("the archive is cut off: the two blocks that end it are missing");
}

std::size_t TarReader::take_header(Bytes data) {
  if (block_fill_ == 0 && data.size() >= kBlockSize) {
    header_end_ = offset_ + kBlockSize;
    parse_header(data.first(kBlockSize));
    return kBlockSize;
  }
  const std::size_t taken = std::min(kBlockSize - block_fill_, data.size());
  std::memcpy(block_.data() + block_fill_, data.data(), taken);
  block_fill_ += taken;
  if (block_fill_ == kBlockSize) {
    block_fill_ = 0;
    header_end_ = offset_ + taken;
    parse_header(block_);
  }
  return taken;
}

std::size_t TarReader::take_content(Bytes data) {
  const std::size_t taken =
      static_cast<std::size_t>(std::min<std::uint64_t>(content_left_, data.size()));
  const Bytes piece = data.first(taken);
  if (state_ == State::content)
    visitor_.write(piece);
  else if (state_ == State::extension)
    extension_data_.append(as_text(piece));
  content_left_ -= taken;
  if (content_left_ == 0) end_content();
  return taken;
}

void TarReader::end_content() {
  if (state_ == State::content)
    visitor_.end_member();
  else if (state_ == State::extension)
    end_extension();
  state_ = padding_left_ != 0 ? State::padding : State::header;
}

void TarReader::parse_header(Bytes block) {
  if (is_all_zero(block)) {
    state_ = State::end;
    ++end_block_count_;
    return;
  }
  if (state_ == State::end) fail("data after the end of the archive");
  verify_checksum(block);
  if (!text_of(field_of(block, kMagic)).starts_with("ustar")) fail("not a ustar header");

  const char type_flag = static_cast<char>(block[kTypeFlagOffset]);
  content_left_ = parse_number(field_of(block, kSize), "size");
  switch (type_flag) {
    case 'L':
    case 'K':
    case 'x':
    case 'g':
      begin_extension(block, type_flag);
      break;
    default:
      begin_member(block, type_flag);
  }
}

void TarReader::verify_checksum(Bytes block) const {
  std::uint64_t sum = 0;
  for (const std::byte byte : block) sum += std::to_integer<unsigned>(byte);
  for (const std::byte byte : field_of(block, kChecksum)) sum -= std::to_integer<unsigned>(byte);
  sum += kChecksum.size * ' ';
  if (sum != parse_number(field_of(block, kChecksum), "checksum"))
    fail("wrong checksum of a member header");
}

void TarReader::begin_extension(Bytes, char type_flag) {
  if (content_left_ > kMaxExtensionSize) fail("extension header too large");
  extension_data_.clear();
  extension_ = type_flag == 'L'   ? Extension::gnu_name
               : type_flag == 'K' ? Extension::gnu_link
                                  : Extension::pax;
  padding_left_ = (kBlockSize - content_left_ % kBlockSize) % kBlockSize;
  // Global PAX headers carry nothing that is needed.
  state_ = type_flag == 'g' ? State::skip : State::extension;
  if (content_left_ == 0) end_content();
}

void TarReader::end_extension() {
  const std::string_view text = extension_data_;
  switch (extension_) {
    case Extension::gnu_name:
      next_path_ = text.substr(0, text.find('\0'));
      break;
    case Extension::gnu_link:
      next_link_ = text.substr(0, text.find('\0'));
      break;
    case Extension::pax:
      apply_pax(text);
      break;
  }
}

// Records of the form "<length> <key>=<value>\n", where <length> counts the whole record.
void TarReader::apply_pax(std::string_view records) {
  while (!records.empty()) {
    const std::size_t blank = records.find(' ');
    if (blank == std::string_view::npos) fail("malformed PAX record");
    const auto length = parse_integer(records.substr(0, blank));
    if (!length || *length < 0 || static_cast<std::uint64_t>(*length) > records.size() ||
        static_cast<std::size_t>(*length) < blank + 3)
      fail("malformed PAX record");
    const auto size = static_cast<std::size_t>(*length);
    const std::string_view record = records.substr(blank + 1, size - blank - 2);
    const std::size_t equals = record.find('=');
    if (records[size - 1] != '\n' || equals == std::string_view::npos) fail("malformed PAX record");
    const std::string_view key = record.substr(0, equals);
    const std::string_view value = record.substr(equals + 1);
    if (key == "path") {
      next_path_ = value;
    } else if (key == "linkpath") {
      next_link_ = value;
    } else if (key == "size") {
      const auto number = parse_integer(value);
      if (!number || *number < 0) fail("malformed size in a PAX record");
      next_size_ = static_cast<std::uint64_t>(*number);
      has_next_size_ = true;
    }
    records.remove_prefix(size);
  }
}

void TarReader::begin_member(Bytes block, char type_flag) {
  std::string path = std::exchange(next_path_, {});
  if (path.empty()) {
    const std::string_view name = text_of(field_of(block, kName));
    // GNU's "ustar  " keeps other things in the prefix field.
    const bool has_prefix_field =
        as_text(field_of(block, kMagic)).substr(0, 6) == std::string_view("ustar\0", 6);
    const std::string_view prefix =
        has_prefix_field ? text_of(field_of(block, kPrefix)) : std::string_view{};
    path = prefix.empty() ? std::string(name) : fmt::format("{}/{}", prefix, name);
  }
  const bool has_trailing_slash = path.ends_with('/');
  while (path.ends_with('/')) path.pop_back();
  while (path.starts_with("./")) path.erase(0, 2);

  if (has_next_size_) content_left_ = next_size_;
  has_next_size_ = false;

  member_.link_target = std::exchange(next_link_, {});
  member_.type = type_of(block, type_flag, path, has_trailing_slash);
  // The root itself may be listed; it exists already.
  const bool is_root = member_.type == TarMemberType::directory && (path.empty() || path == ".");
  if (!is_root && !is_safe_relative_path(path))
    fail(fmt::format("member \"{}\" would be written outside of the target directory", path));

  const bool has_content = member_.type == TarMemberType::regular;
  member_.path = std::move(path);
  member_.content_offset = header_end_;
  member_.mode = static_cast<mode_t>(parse_number(field_of(block, kMode), "mode")) & 0777;
  member_.uid = parse_number(field_of(block, kUid), "uid");
  member_.gid = parse_number(field_of(block, kGid), "gid");
  member_.mtime = static_cast<std::int64_t>(parse_number(field_of(block, kMtime), "mtime"));
  member_.size_bytes = has_content ? content_left_ : 0;
  if (!has_content) content_left_ = 0;
  padding_left_ = (kBlockSize - content_left_ % kBlockSize) % kBlockSize;

  if (is_root) return;
  visitor_.begin_member(member_);
  state_ = State::content;
  if (content_left_ == 0) end_content();
}

TarMemberType TarReader::type_of(Bytes block, char type_flag, const std::string& path,
                                 bool has_trailing_slash) {
  const auto require_target = [&](const char* what) {
    if (member_.link_target.empty()) member_.link_target = text_of(field_of(block, kLinkName));
    if (member_.link_target.empty()) fail(fmt::format("{} \"{}\" to nothing", what, path));
  };
  switch (type_flag) {
    case '0':
    case '\0':
    case '7':
      return has_trailing_slash ? TarMemberType::directory : TarMemberType::regular;
    case '2':
      require_target("symbolic link");
      return TarMemberType::symlink;
    case '5':
      return TarMemberType::directory;
    case '1':
      if (types_ != TarTypes::all) break;
      require_target("link");
      return TarMemberType::hard_link;
    case '6':
      if (types_ != TarTypes::all) break;
      return TarMemberType::fifo;
    default:
      break;
  }
  fail(fmt::format("member \"{}\" has the unsupported type '{}'", path, type_flag));
}

// Octal digits, or base-256 when the first bit is set.
std::uint64_t TarReader::parse_number(Bytes field, const char* field_name) const {
  const auto malformed = [&] { fail(fmt::format("malformed {} in a member header", field_name)); };
  const auto first = std::to_integer<unsigned>(field.front());
  std::uint64_t value = 0;
  if ((first & 0x80U) != 0) {
    if (first != 0x80U) malformed();
    for (const std::byte byte : field.subspan(1)) {
      if ((value >> 56U) != 0) malformed();
      value = value << 8U | std::to_integer<std::uint64_t>(byte);
    }
    return value;
  }
  const std::string_view digits = strip(text_of(field));
  for (const char digit : digits) {
    if (digit < '0' || digit > '7') malformed();
    value = value << 3U | static_cast<std::uint64_t>(digit - '0');
  }
  return value;
}

void TarReader::fail(const std::string& reason) const {
  throw Error(ErrorKind::corrupt, fmt::format("cannot read tar archive \"{}\" at byte {}: {}",
                                              archive_name_, offset_, reason));
}

}  // namespace barman::pipeline
