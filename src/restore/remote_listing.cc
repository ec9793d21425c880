#include "restore/remote_listing.h"

#include <sys/stat.h>

#include <charconv>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/error.h"
#include "base/text.h"
#include "restore/remote_script.h"

namespace barman::restore {
namespace fs = std::filesystem;

namespace {

// The checksum program; whether tar is GNU's; then groups of entries: how many, their modes and
// sizes, a line each, and their names. stat(1) is started for many at a time.
constexpr std::string_view kList = R"sh(
cd "$1" || exit
command -v b2sum >/dev/null && printf 'b2sum\000' || printf 'sha256sum\000'
tar --version 2>/dev/null | grep -q 'GNU tar' && printf 'gnu\000' || printf 'other\000'
walk() {
  find "$@" -exec sh -c '
    facts=$(stat -c "%f %s" -- "$@") || exit
    printf "%s\000" $# "$facts" "$@"
  ' sh {} +
}
walk . || exit
[ -z "$2" ] || [ ! -L "$2" ] || [ ! -d "$2/." ] || walk "$2/."
)sh";

// Fields of the answer, which lies in a file: it may be long.
class FieldStream {
 public:
  explicit FieldStream(const Fd& file) : file_(file) {}

  // nullopt at the end.
  std::optional<std::string> next() {
    for (;;) {
      const std::size_t end = text_.find('\0', begin_);
      if (end != std::string::npos) {
        std::string field = text_.substr(begin_, end - begin_);
        begin_ = end + 1;
        return field;
      }
      text_.erase(0, begin_);
      begin_ = 0;
      const std::size_t size = text_.size();
      text_.resize(size + kPiece);
      const std::size_t count = read_full_at(
          file_, std::as_writable_bytes(std::span(text_)).subspan(size), offset_, "answer");
      text_.resize(size + count);
      offset_ += count;
      if (count == 0) return std::nullopt;
    }
  }

 private:
  static constexpr std::size_t kPiece = std::size_t{64} << 10;

  const Fd& file_;
  std::uint64_t offset_ = 0;
  std::string text_;
  std::size_t begin_ = 0;
};

FoundKind kind_of_mode(mode_t mode) {
  if (S_ISDIR(mode)) return FoundKind::directory;
  return S_ISREG(mode) ? FoundKind::file : FoundKind::other;
}

// "81a4 8192"
bool parse_facts(std::string_view line, ListedEntry& entry) {
  const std::size_t blank = line.find(' ');
  if (blank == std::string_view::npos) return false;
  mode_t mode = 0;
  const auto mode_end = std::from_chars(line.data(), line.data() + blank, mode, 16);
  const auto size_end =
      std::from_chars(line.data() + blank + 1, line.data() + line.size(), entry.size_bytes);
  if (mode_end.ptr != line.data() + blank || size_end.ptr != line.data() + line.size()) {
    return false;
  }
  entry.kind = kind_of_mode(mode);
  entry.mode = mode & 07777;
  return true;
}

class ListingReader {
 public:
  ListingReader(const Fd& answer, std::string wal_name,
                const std::function<void(const ListedEntry&)>& visit)
      : fields_(answer), wal_name_(std::move(wal_name)), visit_(visit) {}

  // False when it is no listing.
  bool run(RemoteMeans& means) {
    std::optional<std::string> field = fields_.next();
    while (field && *field != "barman-answer") field = fields_.next();
    field = fields_.next();
    if (!field) return false;
    means.checksum = *field == "b2sum" ? RemoteChecksum::b2sum : RemoteChecksum::sha256sum;
    field = fields_.next();
    if (!field) return false;
    means.has_gnu_tar = *field == "gnu";
    while ((field = fields_.next())) {
      const std::optional<std::int64_t> count = parse_integer(*field);
      const std::optional<std::string> facts = fields_.next();
      if (!count || !facts) return false;
      const std::vector<std::string> lines = split(*facts, '\n');
      if (static_cast<std::int64_t>(lines.size()) != *count) return false;
      for (const std::string& line : lines) {
        if (!take(line)) return false;
      }
    }
    if (wal_link_) visit_(*wal_link_);
    return true;
  }

 private:
  bool take(const std::string& line) {
    const std::optional<std::string> name = fields_.next();
    ListedEntry entry;
    if (!name || !parse_facts(line, entry)) return false;
    const std::string behind_link = wal_name_ + "/.";
    if (*name == ".") return true;
    if (!wal_name_.empty() && *name == behind_link) {
      entry.path = wal_name_;
      entry.kind = FoundKind::directory_link;
      wal_link_.reset();
    } else if (!wal_name_.empty() && name->starts_with(behind_link + "/")) {
      entry.path = wal_name_ + name->substr(behind_link.size());
    } else if (name->starts_with("./")) {
      entry.path = name->substr(2);
      // It comes again with what is behind it, if that is a directory.
      if (entry.path == wal_name_ && entry.kind == FoundKind::other) {
        wal_link_ = entry;
        return true;
      }
    } else {
      return false;
    }
    visit_(entry);
    return true;
  }

  FieldStream fields_;
  const std::string wal_name_;
  const std::function<void(const ListedEntry&)>& visit_;
  std::optional<ListedEntry> wal_link_;
};

}  // namespace

RemoteMeans list_remote_tree(const host::Host& host, const fs::path& directory,
                             const std::string& wal_name,
                             const std::function<void(const ListedEntry&)>& visit,
                             const Interrupt& interrupt) {
  const std::string what = fmt::format("cannot list \"{}\"", directory.string());
  const host::HostAnswer answer = run_script(host, std::string(kPrintMark) + std::string(kList),
                                             {directory.string(), wal_name}, interrupt, what);
  RemoteMeans means;
  if (!ListingReader(answer.output, wal_name, visit).run(means)) {
    throw script_failure(host, what, answer.exit_code,
                         "what it printed is not a list of files; " + answer.error);
  }
  return means;
}

}  // namespace barman::restore
