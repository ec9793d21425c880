#include "wal_archive/wal_filer.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <exception>
#include <optional>
#include <thread>
#include <unordered_set>
#include <utility>

#include "base/digest.h"
#include "base/durable.h"
#include "base/error.h"
#include "base/timestamp.h"
#include "base/worker_pool.h"
#include "pipeline/file_transfer.h"
#include "wal/wal_content.h"
#include "wal_archive/known_cluster.h"
#include "wal_archive/received_content.h"
#include "wal_archive/rejected_file.h"
#include "wal_archive/wal_level_watch.h"

namespace barman::wal_archive {
namespace fs = std::filesystem;
namespace {

// How many fsync calls run at a time.
constexpr std::size_t kFlushers = 4;
// Objects that are on their way at once, each in memory: who waits for a store needs no processor.
constexpr std::size_t kUploaders = 4;

// A file that is too short, and older than this, will not grow any more.
constexpr std::int64_t kStillWrittenSeconds = 60;

bool was_just_written(const Fd& file, Timestamp now) {
  struct stat status = {};
  // In both directions: clocks of other hosts differ.
  return ::fstat(file.get(), &status) == 0 &&
         std::abs(now.seconds() - status.st_mtim.tv_sec) < kStillWrittenSeconds;
}

bool needs_line(FiledAs outcome) {
  return outcome == FiledAs::archived || outcome == FiledAs::duplicate;
}

// Removes the received file, unless another one has taken its name meanwhile.
void remove_source(const Fd& file, const fs::path& path) {
  struct stat named = {};
  struct stat opened = {};
  if (::stat(path.c_str(), &named) != 0 || ::fstat(file.get(), &opened) != 0) return;
  if (named.st_ino != opened.st_ino || named.st_dev != opened.st_dev) return;
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
    throw_errno("cannot remove \"" + path.string() + "\"");
  }
}

class DigestSink final : public pipeline::Sink {
 public:
  void write(Bytes data) override { digest_.update(data); }
  void finish() override { text_ = digest_.finish(); }
  const std::string& text() const { return text_; }

 private:
  Digest digest_{DigestAlgorithm::sha256};
  std::string text_;
};

// The archive keeps the time of what was received, to the nanosecond: after a crash between the two
// steps of an archiver, this tells a file from another one of that name without the private key.
bool has_same_time(const Fd& received, const Fd& archived) {
  struct stat a = {};
  struct stat b = {};
  return ::fstat(received.get(), &a) == 0 && ::fstat(archived.get(), &b) == 0 &&
         a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec == b.st_mtim.tv_nsec;
}

// The time in the line of that name.
std::optional<double> find_line_time(const WalArchive& archive, const std::string& name) {
  std::optional<double> time;
  archive.visit_lines([&](const WalIndexLine& line) {
    if (line.name != name) return Visit::proceed;
    time = line.mtime;
    return Visit::stop;
  });
  return time;
}

}  // namespace

WalIndexEntry inspect_received_wal(const Fd& file, const fs::path& path, WalSource source,
                                   const WalCoding& coding) {
  struct stat status = {};
  if (::fstat(file.get(), &status) != 0) throw_errno("cannot access \"" + path.string() + "\"");
  WalIndexEntry entry = {.name = path.filename().string(),
                         .size_bytes = static_cast<std::uint64_t>(status.st_size),
                         .mtime = static_cast<double>(status.st_mtim.tv_sec) +
                                  1e-9 * static_cast<double>(status.st_mtim.tv_nsec)};
  // PostgreSQL streams plain WAL only.
  if (source == WalSource::streaming) return entry;
  const WalStoredForm form = coding.identify_received(file, path);
  entry.compression = form.compression_name();
  entry.encryption = form.encryption;
  return entry;
}

WalFiler::WalFiler(const server::Server& server, WalSource source)
    : WalFiler(server, source, WalArchive(server)) {}

WalFiler::WalFiler(const server::Server& server, WalSource source, WalArchive archive)
    : locations_(server.locations()),
      archive_(std::move(archive)),
      source_(source),
      coding_(archive_.coding()),
      clock_(server.clock()),
      source_directory_(source == WalSource::streaming ? locations_.streaming_directory
                                                       : locations_.incoming_directory),
      system_id_(known_system_id(server)) {}

std::vector<FiledWal> WalFiler::file_group(std::span<const std::string> names) {
  // A missing index is made before the first object appears: then it is known to be complete.
  if (!archive_.is_local()) archive_.index();
  std::vector<Item> items = prepare_group(names);
  // One bad file must not keep the good ones before it waiting.
  const auto bad = std::find_if(items.begin(), items.end(),
                                [](const Item& item) { return item.failure != nullptr; });
  if (bad != items.end()) {
    failure_ = bad->failure;
    items.erase(bad, items.end());
  }
  put_into_archive(items);
  finish_sources(items);
  std::vector<FiledWal> filed;
  filed.reserve(items.size());
  for (Item& item : items) {
    filed.push_back({.outcome = item.outcome,
                     .entry = std::move(item.entry),
                     .problem = std::move(item.problem),
                     .minimal = std::move(item.minimal)});
  }
  return filed;
}

void WalFiler::rethrow_failure() const {
  if (failure_) std::rethrow_exception(failure_);
}

// Each file on its own: compressing keeps all cores busy, and flushes that are asked for at the
// same time share the work of the file system.
std::vector<WalFiler::Item> WalFiler::prepare_group(std::span<const std::string> names) {
  std::vector<Item> items(names.size());
  const auto prepare_item = [&](std::size_t i) {
    // Told by file_group(), in the order of the names.
    try {
      items[i] = prepare(names[i]);
    } catch (...) {
      items[i].failure = std::current_exception();
    }
  };
  if (names.size() == 1) {
    prepare_item(0);
    return items;
  }
  const std::size_t cores = std::max(2U, std::thread::hardware_concurrency());
  const bool is_encoding = coding_.is_compressing() || coding_.is_encrypting();
  std::size_t count = is_encoding ? cores : kFlushers;
  if (!archive_.is_local()) count = std::max(count, kUploaders);
  WorkerPool workers(std::min(names.size(), count));
  for (std::size_t i = 0; i < names.size(); ++i) {
    workers.submit([&, i] { prepare_item(i); });
  }
  workers.wait();
  return items;
}

// Makes a durable object of the same content; it may not be visible yet.
WalFiler::Item WalFiler::prepare(const std::string& name) const {
  Item item = {.source = source_path(name), .target = archive_.path_of(name)};
  std::optional<Fd> file = find_file(item.source);
  if (!file) {
    item.outcome = FiledAs::vanished;
    return item;
  }
  item.file = std::move(*file);
  item.entry = inspect_received_wal(item.file, item.source, source_, coding_);
  // PostgreSQL streams plain WAL only.
  const WalStoredForm form = source_ == WalSource::streaming
                                 ? WalStoredForm{}
                                 : coding_.identify_received(item.file, item.source);
  if (!is_fit(item, name, form)) return item;
  // By the worker that reads the file anyway to encode or to flush it.
  if (form.is_plain()) item.minimal = find_minimal_wal(item.file, name);
  if (const std::optional<StoredWal> archived = archive_.find(name)) {
    compare_with_archived(item, name, archived->file);
    if (!item.is_replacing) return item;
  }
  const CodingSteps steps = coding_.steps_for(form);
  item.prepared =
      ObjectWriter(archive_.storage(), coding_)
          .prepare(WalArchive::key_of(name), {item.file, item.source}, steps,
                   item.is_replacing ? storage::IfPresent::replace : storage::IfPresent::refuse);
  item.entry.size_bytes = item.prepared.size_bytes();
  if (steps.is_compressed) item.entry.compression = coding_.configured_name();
  if (steps.is_encrypted) item.entry.encryption = "gpg";
  return item;
}

bool WalFiler::is_fit(Item& item, const std::string& name, const WalStoredForm& form) const {
  const auto problem = find_content_problem(
      item.file, item.source, wal::parse_wal_file_name(name).value(), form, coding_, system_id_);
  if (!problem) return true;
  const bool may_grow = problem->fault == wal::ContentProblem::Fault::unfinished &&
                        was_just_written(item.file, clock_.now());
  item.outcome = may_grow ? FiledAs::unfinished : FiledAs::unfit;
  item.problem = problem->text;
  if (problem->fault == wal::ContentProblem::Fault::other_cluster)
    item.problem += ". " + other_cluster_step(locations_.server_name, "archive_command");
  return false;
}

// What was stored first need not be the better one.
void WalFiler::compare_with_archived(Item& item, const std::string& name,
                                     const Fd& archived) const {
  if (is_same_wal(item, archived)) {
    item.outcome = FiledAs::duplicate;
    return;
  }
  auto problem = find_content_problem(archived, item.target, wal::parse_wal_file_name(name).value(),
                                      coding_.identify(archived, item.target), coding_, system_id_);
  // What a crash has left before its line was written, most likely; it is kept beside.
  if (!problem && !archive_.is_local() && !can_compare(item, archived) &&
      !find_line_time(archive_, name)) {
    problem = wal::ContentProblem{
        .fault = wal::ContentProblem::Fault::foreign,
        .text = "it has no line in the index, and cannot be compared without the private key"};
  }
  item.is_replacing = problem.has_value();
  item.outcome = problem ? FiledAs::archived : FiledAs::rejected;
  if (problem) item.problem = problem->text;
}

bool WalFiler::can_compare(const Item& item, const Fd& archived) const {
  return coding_.cipher().can_decrypt() ||
         !(coding_.identify_received(item.file, item.source).encryption ||
           coding_.identify(archived, item.target).encryption);
}

// An object has the time at which it was stored: that of what was received is in its line.
bool WalFiler::has_time_of_received(const Item& item, const Fd& archived) const {
  constexpr double kSameMoment = 1e-5;
  if (archive_.is_local()) return has_same_time(item.file, archived);
  const std::optional<double> time = find_line_time(archive_, item.entry.name);
  return time && std::abs(*time - item.entry.mtime) < kSameMoment;
}

// Whether the archived file holds the same WAL, stored in whatever form.
bool WalFiler::is_same_wal(const Item& item, const Fd& archived) const {
  if (pipeline::is_same_content(item.file, item.source, archived, item.target)) return true;
  const WalStoredForm received_form = coding_.identify_received(item.file, item.source);
  const WalStoredForm archived_form = coding_.identify(archived, item.target);
  if (received_form.is_plain() && archived_form.is_plain()) return false;
  if (!can_compare(item, archived)) return has_time_of_received(item, archived);
  DigestSink received;
  DigestSink stored;
  // A damaged file is not the same as anything; both are kept, for a human to look at.
  try {
    coding_.decode(received_form, item.file, item.source, received);
    coding_.decode(archived_form, archived, item.target, stored);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::corrupt) throw;
    return false;
  }
  return received.text() == stored.text();
}

void WalFiler::put_into_archive(std::vector<Item>& items) {
  std::vector<PreparedWal*> prepared;
  std::vector<std::string> present;
  for (Item& item : items) {
    if (item.outcome == FiledAs::archived) prepared.push_back(&item.prepared);
    if (item.outcome == FiledAs::duplicate) present.push_back(WalArchive::key_of(item.entry.name));
  }
  if (prepared.empty() && present.empty()) return;
  // An index that is missing is rebuilt here, before the new files appear.
  WalIndex index = archive_.index();
  remove_replaced(index, items);
  ObjectWriter(archive_.storage(), coding_).publish(prepared, present);
  // Commit point: the received files are not needed any more.
  index.append(missing_lines(index, items));
}

// Their lines first: after a crash the next run finds a file without a line, and adds it.
void WalFiler::remove_replaced(WalIndex& index, const std::vector<Item>& items) {
  std::unordered_set<std::string_view> names;
  for (const Item& item : items) {
    if (item.is_replacing) names.insert(item.entry.name);
  }
  if (names.empty()) return;
  index.cut_out(
      index.find_lines([&](const WalIndexLine& line) { return names.contains(line.name); }));
  for (const Item& item : items) {
    if (item.is_replacing) keep_replaced(item);
  }
}

// For a human to look at.
void WalFiler::keep_replaced(const Item& item) const {
  const std::string& name = item.entry.name;
  if (archive_.is_local()) {
    move_to_errors(locations_.errors_directory, item.target, name, RejectReason::unknown,
                   clock_.now());
  } else if (const std::optional<StoredWal> archived = archive_.find(name)) {
    copy_to_errors(locations_.errors_directory, archived->file, archived->path, name,
                   RejectReason::unknown, clock_.now());
  }
}

// What was archived now cannot be in the index; what had been archived may be, unless a crash came
// between the file and its line.
std::vector<WalIndexEntry> WalFiler::missing_lines(const WalIndex& index,
                                                   const std::vector<Item>& items) const {
  std::unordered_set<std::string_view> doubtful;
  for (const Item& item : items) {
    if (item.outcome == FiledAs::duplicate) doubtful.insert(item.entry.name);
  }
  if (!doubtful.empty()) {
    index.for_each([&](const WalIndexLine& line) {
      doubtful.erase(line.name);
      return doubtful.empty() ? Visit::stop : Visit::proceed;
    });
  }
  std::vector<WalIndexEntry> entries;
  for (const Item& item : items) {
    if (item.outcome == FiledAs::archived) entries.push_back(item.entry);
    if (item.outcome != FiledAs::duplicate || !doubtful.contains(item.entry.name)) continue;
    auto entry = archive_.inspect(item.entry.name);
    if (!entry) continue;
    const std::optional<StoredWal> archived = archive_.find(item.entry.name);
    if (!archived) continue;
    entry->compression = archived->form.compression_name();
    // That of an object tells when it was stored.
    if (!archive_.is_local()) entry->mtime = item.entry.mtime;
    // Hidden by the encryption: as it would be archived now.
    if (entry->encryption && !item.entry.compression && coding_.is_compressing()) {
      entry->compression = coding_.configured_name();
    }
    entries.push_back(std::move(*entry));
  }
  return entries;
}

void WalFiler::finish_sources(const std::vector<Item>& items) {
  for (const Item& item : items) {
    if (item.outcome == FiledAs::rejected || item.outcome == FiledAs::unfit) {
      move_to_errors(
          locations_.errors_directory, item.source,
          item.outcome == FiledAs::rejected ? RejectReason::duplicate : RejectReason::unknown,
          clock_.now());
    } else if (needs_line(item.outcome)) {
      remove_source(item.file, item.source);
    }
  }
  if (!items.empty()) sync_directory(source_directory_);
}

}  // namespace barman::wal_archive
