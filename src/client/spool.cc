#include "client/spool.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <exception>
#include <optional>
#include <system_error>

#include <fmt/format.h>

#include "base/digest.h"
#include "base/directory.h"
#include "base/durable.h"
#include "base/error.h"
#include "base/hint.h"
#include "base/private_directory.h"
#include "base/shown_time.h"
#include "base/text.h"
#include "base/timestamp.h"
#include "base/unexpected.h"
#include "compression/stored_file.h"
#include "wal/segment_header.h"
#include "wal/wal_content.h"

namespace barman::client {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kTemporaryPrefix = ".part-";
constexpr std::string_view kReasonName = ".last-reason";
constexpr std::int64_t kForgottenAfterSeconds = 86400;

std::string boot_id() { return find_and_read_file("/proc/sys/kernel/random/boot_id").value_or(""); }

// Directories of this server from before the last boot, and of other places.
void remove_forgotten(const fs::path& parent, const std::string& server, const fs::path& kept) {
  std::vector<std::string> names;
  try {
    names = list_directory(parent);
  } catch (const SystemError&) {  // Only room is lost, and WAL is waited for.
    return;
  }
  for (const std::string& name : names) {
    const fs::path path = parent / name;
    struct stat status = {};
    if (path == kept || !name.starts_with(server + "-")) continue;
    if (!is_private_directory(path) || ::stat(path.c_str(), &status) != 0) continue;
    if (::time(nullptr) - status.st_mtim.tv_sec < kForgottenAfterSeconds) continue;
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
}

// ".part-<pid>-<name>"
std::string temporary_name(pid_t pid, const std::string& name) {
  return fmt::format("{}{}-{}", kTemporaryPrefix, pid, name);
}

struct Temporary {
  pid_t pid = 0;
  std::string name;
};

std::optional<Temporary> parse_temporary(const std::string& file_name) {
  if (!file_name.starts_with(kTemporaryPrefix)) return std::nullopt;
  const std::string rest = file_name.substr(kTemporaryPrefix.size());
  const std::size_t dash = rest.find('-');
  if (dash == std::string::npos) return std::nullopt;
  const auto pid = parse_integer(rest.substr(0, dash));
  if (!pid) return std::nullopt;
  return Temporary{.pid = static_cast<pid_t>(*pid), .name = rest.substr(dash + 1)};
}

bool is_alive(pid_t pid) { return ::kill(pid, 0) == 0 || errno != ESRCH; }

// It was checked when it came; somebody may have cut it off since. True for what is not there.
bool is_wal(const fs::path& path, const std::string& name, std::optional<std::uint64_t> system_id) {
  const auto parsed = wal::parse_wal_file_name(name);
  const std::optional<Fd> file = find_file(path);
  struct stat status = {};
  if (!parsed || !file || ::fstat(file->get(), &status) != 0) return true;
  wal::ContentCheck check(*parsed, {.system_id = system_id});
  std::vector<std::byte> begin(wal::kSegmentHeaderSize);
  check.add(Bytes(begin).first(read_full_at(*file, begin, 0, path)));
  check.set_size(static_cast<std::uint64_t>(status.st_size));
  return !check.find_problem();
}

}  // namespace

SpooledFile::SpooledFile(const fs::path& directory, const std::string& name)
    : path_(directory / name), temporary_(directory / temporary_name(::getpid(), name)) {
  file_ = create_file(temporary_, O_RDWR);
}

SpooledFile::~SpooledFile() {
  if (file_.is_open()) ::unlink(temporary_.c_str());
}

void SpooledFile::keep() {
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) {
    throw_errno("cannot rename \"" + temporary_.string() + "\"");
  }
  file_ = Fd();
}

Spool::Spool(const fs::path& directory, std::string_view server, const std::string& identity) {
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
    throw_errno("cannot create directory \"" + directory.string() + "\"");
  }
  if (!is_safe_parent(directory)) {
    throw Error(ErrorKind::permission,
                fmt::format("\"{}\" is no directory of this user that only this user can write",
                            directory.string()),
                "Remove it, or name another one with --spool-dir.");
  }
  const std::string hash =
      digest_of(DigestAlgorithm::sha256, identity + "\n" + boot_id()).substr(0, 16);
  directory_ = fs::absolute(directory) / fmt::format("{}-{}", server, hash);
  const bool is_new = make_private_directory(directory_, "--spool-dir");
  if (is_new) remove_forgotten(directory_.parent_path(), std::string(server), directory_);
}

bool Spool::take(const std::string& name, const fs::path& destination,
                 std::optional<std::uint64_t> system_id) const {
  const fs::path path = directory_ / name;
  if (!is_wal(path, name, system_id)) {
    ::unlink(path.c_str());
    return false;
  }
  if (::rename(path.c_str(), destination.c_str()) == 0) return true;
  if (errno == ENOENT) return false;
  if (errno != EXDEV) {
    throw_errno("cannot move \"" + path.string() + "\" to \"" + destination.string() + "\"");
  }
  const std::optional<Fd> source = find_file(path);
  if (!source) return false;
  Fd target = open_file(destination, O_WRONLY | O_CREAT | O_TRUNC, 0600, Links::follow);
  compression::FdSink sink(target.get(), destination);
  compression::push_file(*source, path, sink);
  target.close(destination);
  ::unlink(path.c_str());
  return true;
}

bool Spool::is_on_its_way(const std::string& name) const {
  for (const std::string& file_name : list_directory(directory_)) {
    const auto temporary = parse_temporary(file_name);
    if (temporary && temporary->name == name && is_alive(temporary->pid)) return true;
  }
  return false;
}

std::vector<std::string> Spool::list() const {
  std::vector<std::string> names = list_directory(directory_);
  std::erase_if(names, [](const std::string& name) { return name.starts_with('.'); });
  std::sort(names.begin(), names.end());
  return names;
}

void Spool::prune(const std::string& name) const {
  for (const std::string& file_name : list_directory(directory_)) {
    const auto temporary = parse_temporary(file_name);
    const bool is_passed = !file_name.starts_with('.') && file_name < name;
    if (is_passed || (temporary && !is_alive(temporary->pid))) {
      ::unlink((directory_ / file_name).c_str());
    }
  }
}

void Spool::keep_reason(const std::string& text) const {
  try {
    write_file_durably(directory_ / kReasonName,
                       fmt::format("{} (at {})\n", replace_all(std::string(strip(text)), "\n", " "),
                                   shown_second(now_local())));
  } catch (const Error&) {  // It only makes the next call say more.
  }
}

void Spool::keep_reason_of(const std::function<void()>& work) const {
  try {
    work();
  } catch (const std::exception& error) {
    const Error reason = as_error(error);
    keep_reason(with_hint_inside(reason.describe(), reason.hint()));
    throw;
  }
}

std::optional<std::string> Spool::take_warning() const {
  const fs::path path = directory_ / kReasonName;
  const std::optional<std::string> text = find_and_read_file(path);
  if (!text) return std::nullopt;
  ::unlink(path.c_str());
  return fmt::format("fetching files in advance has ended: {}", strip(*text));
}

}  // namespace barman::client
