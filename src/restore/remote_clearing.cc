#include "restore/remote_clearing.h"

#include <unistd.h>

#include <filesystem>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/anonymous_file.h"
#include "base/error.h"
#include "base/log.h"
#include "base/log_components.h"
#include "base/text.h"
#include "base/timestamp.h"
#include "base/unexpected.h"
#include "compression/codec.h"
#include "restore/partial_copies.h"
#include "restore/remote_script.h"
#include "restore/save_aside.h"
#include "wal/segment_header.h"
#include "wal/wal_file_name.h"

namespace barman::restore {
namespace fs = std::filesystem;

namespace {

constexpr std::string_view kReadySuffix = ".ready";
constexpr std::string_view kStatusDirectory = "archive_status/";

constexpr std::string_view kRemove = R"sh(
exec xargs -0 rm -rf --
)sh";

// Pairs of paths. Six, however long, are within the limits of each xargs (BusyBox has 32 KiB): what
// is beyond them divides a pair.
constexpr std::string_view kMove = R"sh(
xargs -0 -n 6 sh -c '
  while [ $# -gt 1 ]; do
    mkdir -p -m 700 -- "${2%/*}" && mv -- "$1" "$2" || exit 255
    shift 2
  done
' sh
)sh";

// $1: how many bytes; a field of hexadecimal for each of the files. One that cannot be read must
// not pass for an empty one, which is removed.
constexpr std::string_view kShowBeginnings = R"sh(
bytes=$1 exec xargs -0 sh -c '
  for file; do
    text=$(od -An -v -tx1 -N "$bytes" "$file") || exit 255
    printf "%s\000" "$text"
  done
' sh
)sh";
static_assert(wal::kSegmentHeaderSize < 4096);

constexpr std::string_view kSendFile = R"sh(
if command -v gzip >/dev/null 2>&1; then exec gzip -1 -c -- "$1"; else exec cat -- "$1"; fi
)sh";

constexpr std::string_view kListChecksums = R"sh(
cd "$1" || exit
sha256sum -- [0-9A-F]* | while read -r sum name; do echo "$sum *${name#\*}"; done > SHA256SUMS
)sh";

Fd list_file(const std::vector<std::string>& fields) {
  Fd file = open_anonymous_file(fs::temp_directory_path());
  std::string text;
  for (const std::string& field : fields) {
    text += field;
    text += '\0';
  }
  write_full(file, as_bytes(text), "list");
  if (::lseek(file.get(), 0, SEEK_SET) < 0) throw_errno("cannot read a list");
  return file;
}

class KeptContent final : public pipeline::Sink {
 public:
  explicit KeptContent(std::uintmax_t most_bytes) : most_bytes_(most_bytes) {}
  void write(Bytes data) override {
    if (bytes_.size() + data.size() > most_bytes_)
      throw Error(ErrorKind::corrupt, "it is larger than expected");
    bytes_.insert(bytes_.end(), data.begin(), data.end());
  }
  void finish() override {}
  Bytes bytes() const { return bytes_; }

 private:
  const std::uintmax_t most_bytes_;
  std::vector<std::byte> bytes_;
};

}  // namespace

RemoteClearing::RemoteClearing(const host::Host& host, const RestorePlan& plan,
                               const Interrupt& interrupt)
    : host_(host), plan_(plan), interrupt_(interrupt) {
  if (!plan.wal.is_copied) return;
  for (const WalFileCopy& file : plan.wal.files) planned_wal_.insert(file.name);
}

void RemoteClearing::save(const fs::path& path, const std::string& name) {
  moved_.emplace_back(path.string(), name);
  saved_names_.push_back(name);
}

// By its path below the WAL directory.
void RemoteClearing::note_wal(const ListedEntry& entry) {
  const fs::path directory = plan_.destination / plan_.pg_wal_name;
  if (entry.path.starts_with(kStatusDirectory)) {
    std::string name = entry.path.substr(kStatusDirectory.size());
    if (!name.ends_with(kReadySuffix)) return;
    name.resize(name.size() - kReadySuffix.size());
    waiting_.insert(std::move(name));
  } else if (entry.path.find('/') != std::string::npos || entry.path.starts_with(".barman-")) {
    return;
  } else if (entry.kind == FoundKind::file) {
    wal_files_.insert(entry.path);
  } else {
    remove(directory / entry.path);
  }
}

void RemoteClearing::note_staged(const ListedEntry& entry) {
  if (entry.path.find('/') != std::string::npos || entry.path.starts_with(".barman-")) return;
  if (entry.kind == FoundKind::file && planned_wal_.contains(entry.path)) {
    kept_wal_.insert(entry.path);
  } else {
    remove(plan_.wal.directory / entry.path);
  }
}

void RemoteClearing::judge_wal() {
  const fs::path directory = plan_.destination / plan_.pg_wal_name;
  std::vector<std::string> asked_names;
  std::vector<std::string> asked_paths;
  for (const std::string& name : wal_files_) {
    switch (worth_of_wal(name, waiting_.contains(name), plan_.archived_here)) {
      case WalWorth::none:
        if (plan_.wal.directory == directory && planned_wal_.contains(name)) {
          kept_wal_.insert(name);
        } else {
          remove(directory / name);
        }
        break;
      case WalWorth::only_copy:
        saved_wal_.insert(name);
        break;
      case WalWorth::told_by_content:
        asked_names.push_back(name);
        asked_paths.push_back((directory / name).string());
    }
  }
  if (asked_names.empty()) return;
  const std::string what = fmt::format("cannot look at the WAL in \"{}\"", directory.string());
  const Fd list = list_file(asked_paths);
  const host::HostAnswer answer =
      run_script(host_, std::string(kPrintMark) + std::string(kShowBeginnings),
                 {fmt::to_string(wal::kSegmentHeaderSize)}, interrupt_, what, list.get());
  const std::optional<std::string> text = answer_behind_mark(answer.read_output());
  const std::vector<std::string> beginnings =
      text ? split(*text, '\0') : std::vector<std::string>();
  if (beginnings.size() < asked_names.size()) {
    throw script_failure(host_, what, answer.exit_code, answer.error);
  }
  for (std::size_t i = 0; i < asked_names.size(); ++i) {
    const std::string bytes = bytes_of_hex(beginnings[i]);
    if (bytes.empty() && !strip(beginnings[i]).empty()) {
      throw script_failure(host_, what, answer.exit_code,
                           "what it printed is no hexadecimal; " + answer.error);
    }
    if (is_own_wal(asked_names[i], as_bytes(bytes)) && !is_received(asked_names[i])) {
      saved_wal_.insert(asked_names[i]);
    } else {
      remove(directory / asked_names[i]);
    }
  }
}

// Whether the receiver's unfinished segment has all of it, which an earlier restore has laid there,
// perhaps. One file, so it comes here. What cannot be compared is kept, and told.
bool RemoteClearing::is_received(const std::string& name) const {
  constexpr std::uintmax_t kLargest = std::uintmax_t{64} << 20;
  const auto parsed = wal::parse_wal_file_name(name);
  const auto received = plan_.received_partials.find(parsed ? parsed->segment() : name);
  if (received == plan_.received_partials.end()) return false;
  const fs::path path = plan_.destination / plan_.pg_wal_name / name;
  try {
    if (fs::file_size(received->second) > kLargest) return false;
    const host::HostAnswer answer =
        run_script(host_, std::string(kPrintMark) + std::string(kSendFile), {path.string()},
                   interrupt_, fmt::format("cannot read \"{}\"", path.string()));
    const std::optional<std::string> sent = answer_behind_mark(answer.read_output());
    if (!sent) return false;
    KeptContent content(kLargest);
    const auto reader = compression::make_detecting_decompressor(content, path.string());
    reader->write(as_bytes(*sent));
    reader->finish();
    return has_content_of(received->second, content.bytes());
  } catch (const std::exception& any) {
    const Error error = as_error(any);
    if (error.kind() == ErrorKind::interrupted) throw;
    log::debug(log::kServerComponent, "cannot compare \"{}\": {}", path.string(), error.describe());
    return false;
  }
}

void RemoteClearing::move_all() {
  std::vector<std::string> fields;
  for (const auto& [from, name] : moved_) {
    fields.insert(fields.end(), {from, (plan_.destination / saved_directory_ / name).string()});
  }
  if (fields.empty()) return;
  const Fd list = list_file(fields);
  run_script(host_, kMove, {}, interrupt_, "cannot move files aside", list.get());
}

std::vector<std::string> RemoteClearing::run() {
  judge_wal();
  const std::string stamp = std::string(kSavedPrefix) + format_compact(now_local());
  saved_directory_ = stamp;
  for (int number = 2; hidden_names_.contains(saved_directory_); ++number) {
    saved_directory_ = fmt::format("{}-{}", stamp, number);
  }
  const std::optional<std::string> unfinished = unfinished_segment(saved_wal_, waiting_);
  std::set<std::string> kept_names;
  for (const std::string& name : saved_wal_) {
    const std::string kept = unfinished == name ? name + ".partial" : name;
    moved_.emplace_back((plan_.destination / plan_.pg_wal_name / name).string(),
                        plan_.pg_wal_name + "/" + kept);
    kept_names.insert(kept);
  }
  move_all();
  std::vector<std::string> told;
  if (!kept_names.empty()) {
    const fs::path place = plan_.destination / saved_directory_ / plan_.pg_wal_name;
    run_script(host_, kListChecksums, {place.string()}, interrupt_,
               "cannot list the checksums of WAL that was moved aside");
    told.push_back(
        tell_saved_wal(plan_.destination, kept_names, place, plan_.wal_return, host_.describe()));
  }
  if (!saved_names_.empty()) {
    told.push_back(
        tell_saved_files(plan_.destination, saved_names_, plan_.destination / saved_directory_));
  }
  if (removed_.empty()) return told;
  const Fd list = list_file(removed_);
  run_script(host_, kRemove, {}, interrupt_, "cannot remove what is not in the backup", list.get());
  return told;
}

}  // namespace barman::restore
