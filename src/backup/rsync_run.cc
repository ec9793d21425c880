#include "backup/rsync_run.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>
#include <utility>

#include <fmt/format.h>

#include "base/anonymous_file.h"
#include "base/error.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/log_components.h"
#include "base/process.h"
#include "base/text.h"

namespace barman::backup {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kListBuffer = std::size_t{64} << 10;
constexpr int kLookMs = 100;
// What deserves a connection of its own.
constexpr std::uint64_t kLarge = std::uint64_t{64} << 20;
// Changing files settle soon.
constexpr int kRuns = 5;
// A connection that has gone without a word is noticed; the user's own settings come first.
constexpr const char* kLifeSigns = "-o ServerAliveInterval=15 -o ServerAliveCountMax=4";
// ssh finds the host in its own words.
constexpr const char* kNoHost = "postgres:";

std::string slash_ended(const std::string& path) { return path.ends_with('/') ? path : path + "/"; }

// In the language that is parsed here. ssh needs no password of PostgreSQL.
std::vector<std::string> rsync_program() {
  return {"env",     "-u",       "PGPASSWORD", "-u", "RSYNC_PROTECT_ARGS", "-u", "RSYNC_OLD_ARGS",
          "TZ=UTC0", "LC_ALL=C", "rsync"};
}

std::string read_errors(const Fd& file) {
  struct stat status = {};
  if (::fstat(file.get(), &status) != 0) throw_errno("cannot read what rsync says");
  // A line for each of thousands of files of a database that was dropped.
  const auto size = std::min(static_cast<std::size_t>(status.st_size), kMaxSmallFile);
  std::string text(size, '\0');
  text.resize(read_full_at(file, std::as_writable_bytes(std::span(text)), 0, "error output"));
  return text;
}

}  // namespace

NameList::NameList(const fs::path& directory)
    : directory_(directory), file_(open_anonymous_file(directory)) {}

void NameList::add(std::string_view name, std::uint64_t size_bytes) {
  // Not a comment.
  if (name.starts_with('#') || name.starts_with(';')) buffer_ += "./";
  buffer_ += name;
  buffer_ += '\0';
  ++count_;
  size_bytes_ += size_bytes;
  if (buffer_.size() >= kListBuffer) flush();
}

void NameList::flush() {
  if (::lseek(file_.get(), 0, SEEK_END) < 0) throw_errno("cannot write a list of files");
  write_full(file_, as_bytes(buffer_), directory_);
  buffer_.clear();
}

int NameList::rewind() {
  if (!buffer_.empty()) flush();
  if (::lseek(file_.get(), 0, SEEK_SET) < 0) throw_errno("cannot read a list of files");
  return file_.get();
}

void NameList::for_each(const std::function<void(const std::string& name)>& action) {
  rewind();
  std::array<char, 16384> block = {};
  std::string name;
  std::uint64_t offset = 0;
  while (const std::size_t size =
             read_full_at(file_, std::as_writable_bytes(std::span(block)), offset, directory_)) {
    for (const char letter : std::string_view(block.data(), size)) {
      if (letter != '\0') {
        name += letter;
      } else {
        action(name);
        name.clear();
      }
    }
    offset += size;
  }
}

RsyncRun::RsyncRun(std::string ssh_command, bool is_compressed,
                   std::function<void()> require_going_on, host::SshWords words)
    : ssh_command_(std::move(ssh_command)),
      words_(std::move(words)),
      is_compressed_(is_compressed),
      require_going_on_(std::move(require_going_on)) {}

void RsyncRun::look() const {
  require_going_on_();
  if (is_ended_) throw Error(ErrorKind::io, "another part of the copy has failed");
}

RsyncPlaces RsyncRun::places() const {
  return {.remote = fmt::format("the host of PostgreSQL ({})", mask_passwords(ssh_command_)),
          .option = "ssh_command"};
}

RsyncVerdict RsyncRun::run(const std::string& ssh_words, const std::vector<std::string>& options,
                           const std::vector<std::string>& paths, int input,
                           const OnLine& on_line) {
  look();
  std::vector<std::string> argv = rsync_program();
  argv.insert(argv.end(), options.begin(), options.end());
  // rsync's own quoting for the shell there loses line breaks. rrsync refuses this option.
  if (paths.front().find('\n') != std::string::npos) argv.emplace_back("--protect-args");
  // rsync gives the host, which is in the command already, and then the program.
  const std::string script =
      fmt::format("shift; exec {} {} {} \"$@\"", host::with_words(ssh_command_, ssh_words),
                  kSshOptions, kLifeSigns);
  argv.insert(argv.end(), {"-e", "/bin/sh -c " + rsync_shell_word(script) + " barman"});
  argv.insert(argv.end(), paths.begin(), paths.end());
  log::debug(log::kBackupComponent, "running {}", mask_passwords(join(argv, " ")));

  const Fd nothing = open_file("/dev/null", O_RDONLY);
  const Fd errors = open_anonymous_file(fs::temp_directory_path());
  PipeEnds pipe = make_pipe();
  ChildProcess rsync(argv, {.input = input < 0 ? nothing.get() : input,
                            .output = pipe.write_end.get(),
                            .error = errors.get()});
  pipe.write_end = Fd();
  std::array<char, 16384> block = {};
  std::string rest;
  for (;;) {
    look();
    if (wait_for_fd(pipe.read_end.get(), WaitFor::readable, kLookMs, Interrupt()) !=
        WaitResult::ready) {
      continue;
    }
    const ssize_t size = ::read(pipe.read_end.get(), block.data(), block.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) throw_errno("cannot read what rsync says");
    if (size == 0) break;
    rest.append(block.data(), static_cast<std::size_t>(size));
    std::size_t begin = 0;
    for (std::size_t end = rest.find('\n'); end != std::string::npos;
         end = rest.find('\n', begin)) {
      on_line(std::string_view(rest).substr(begin, end - begin));
      begin = end + 1;
    }
    rest.erase(0, begin);
  }
  const int exit_code = rsync.wait();
  const std::string text = read_errors(errors);
  const std::lock_guard lock(noise_mutex_);
  const RsyncEnd end{.exit_code = exit_code, .errors = text, .noise = noise_};
  const RsyncVerdict verdict = judge(end);
  if (verdict == RsyncVerdict::failed) throw rsync_error(end, places());
  for (std::string& link : dead_links_of(end)) dead_links_.insert(std::move(link));
  if (exit_code == 0) {
    for (const std::string& line : split(text, '\n')) noise_.insert(line);
  }
  return verdict;
}

std::vector<std::string> RsyncRun::dead_links() {
  const std::lock_guard lock(noise_mutex_);
  return {dead_links_.begin(), dead_links_.end()};
}

// What was linked may differ now, and rsync would write through the link into another backup.
void RsyncRun::remove_shared(NameList& names, const fs::path& destination) {
  names.for_each([&](const std::string& name) {
    const fs::path path = destination / name;
    const auto status = find_status(path, Links::refuse);
    if (!status || !S_ISREG(status->st_mode) || status->st_nlink < 2) return;
    if (::unlink(path.c_str()) != 0)
      throw_errno(fmt::format("cannot remove \"{}\"", path.string()));
  });
}

void RsyncRun::get(NameList& names, const RsyncTransfer& transfer, const OnFile& on_file) {
  if (names.count() == 0) return;
  // Links are followed: what they lead to belongs to the backup. Files are written where they are
  // to be, since nobody reads them before the end.
  std::vector<std::string> options = {"-Lpt",    "--inplace",        "--no-implied-dirs",
                                      "--from0", "--files-from=-",   "--modify-window=-1",
                                      "-ii",     kRsyncReportFormat, "--no-human-readable"};
  if (is_compressed_) options.emplace_back("-z");
  if (transfer.limit.is_set()) {
    options.push_back(fmt::format("--bwlimit={}", transfer.limit.kib_per_second));
  }
  options.insert(options.end(), transfer.options.begin(), transfer.options.end());
  const std::vector<std::string> paths = {kNoHost + rsync_path(slash_ended(transfer.source)),
                                          slash_ended(transfer.destination.string())};
  const std::string& ssh_words = transfer.sent_bytes > kLarge ? words_.streams : words_.calls;
  for (int attempt = 1;; ++attempt) {
    if (attempt > 1 || transfer.is_repeated) remove_shared(names, transfer.destination);
    const RsyncVerdict verdict =
        run(ssh_words, options, paths, names.rewind(), [&](std::string_view line) {
          if (const auto file = parse_reported_file(line)) on_file(*file);
        });
    if (verdict == RsyncVerdict::done) return;
    if (attempt == kRuns) {
      throw Error(ErrorKind::conflict,
                  fmt::format("a file below \"{}\" has changed each of the {} times that rsync has "
                              "read it",
                              transfer.source, kRuns),
                  log::has_file() ? "Take the backup again; the log of barman has the command."
                                  : "Take the backup again.");
    }
  }
}

void RsyncRun::list(const std::string& source, const std::vector<std::string>& options,
                    const std::function<void(const ListedFile&)>& on_file) {
  std::vector<std::string> all = {"-rLpt", "--list-only", "--no-human-readable"};
  all.insert(all.end(), options.begin(), options.end());
  run(words_.calls, all, {kNoHost + rsync_path(slash_ended(source))}, -1,
      [&](std::string_view line) {
        if (const auto file = parse_listed_file(line)) on_file(*file);
      });
}

}  // namespace barman::backup
