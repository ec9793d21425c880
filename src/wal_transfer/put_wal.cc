#include "wal_transfer/put_wal.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <map>
#include <optional>
#include <system_error>

#include <fmt/format.h>

#include "base/digest.h"
#include "base/directory.h"
#include "base/durable.h"
#include "base/error.h"
#include "base/log.h"
#include "base/log_components.h"
#include "base/text.h"
#include "base/timestamp.h"
#include "pipeline/tar_reader.h"
#include "wal/wal_file_name.h"
#include "wal_archive/known_cluster.h"
#include "wal_archive/received_content.h"
#include "wal_archive/rejected_file.h"
#include "wal_archive/wal_coding.h"
#include "wal_transfer/checksum_list.h"
#include "wal_transfer/ssh_caller.h"

namespace barman::wal_transfer {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kReadSize = std::size_t{256} << 10;
constexpr std::size_t kMaxChecksumFile = std::size_t{1} << 20;
constexpr std::size_t kTarBlock = 512;
constexpr int kForever = -1;
// A temporary file is abandoned when its process is gone and nothing has happened to it for long.
constexpr std::int64_t kAbandonedAfterSeconds = 3600;
constexpr const char* kTaken =
    "put-wal takes what barman-wal-archive sends: a tar of files of pg_wal, and their checksums in "
    "SHA256SUMS or MD5SUMS.";

std::optional<DigestAlgorithm> checksum_list_algorithm(const std::string& name) {
  if (name == "SHA256SUMS") return DigestAlgorithm::sha256;
  if (name == "MD5SUMS") return DigestAlgorithm::md5;
  return std::nullopt;
}

// One file of the stream while it is only ours: `incoming/.<pid>-<name>`.
struct ReceivedWal {
  fs::path temporary;
  Fd file;
  std::string sha256;
};

// Takes the stream apart. The temporary files go away with it unless they were accepted.
class WalStream final : public pipeline::TarVisitor {
 public:
  WalStream(const server::Server& server, Messages& messages)
      : server_(server),
        messages_(messages),
        directory_(server.locations().incoming_directory),
        caller_(ssh_caller_text()),
        coding_(server.config()),
        system_id_(wal_archive::known_system_id(server)) {}
  WalStream(const WalStream&) = delete;
  WalStream& operator=(const WalStream&) = delete;
  ~WalStream() override {
    for (const auto& [name, wal] : files_) ::unlink(wal.temporary.c_str());
  }

  void begin_member(const pipeline::TarMember& member) override;
  void write(Bytes data) override;
  void end_member() override;

  // After the end of the stream: compares what was announced with what came.
  void verify();
  void accept();

 private:
  using Files = std::map<std::string, ReceivedWal>;

  [[noreturn]] void refuse(const std::string& what, const std::string& name) const {
    throw Error(
        ErrorKind::usage,
        fmt::format("{} '{}' in put-wal for server '{}'{}", what, name, server_.name(), caller_),
        kTaken);
  }
  void parse_checksums();
  void verify_checksum(const std::string& name, const ReceivedWal& wal);
  void verify_content(const std::string& name, const ReceivedWal& wal) const;
  std::string checksum_of(const ReceivedWal& wal) const;
  void accept_file(const std::string& name, ReceivedWal& wal);
  // False when the name is taken.
  static bool give_name(const ReceivedWal& wal, const fs::path& path);
  // False when the file of that name has gone meanwhile.
  bool settle_duplicate(const std::string& name, ReceivedWal& wal, const fs::path& path);
  // True when the existing file was none and has been moved to errors/.
  bool give_way(const std::string& name, const Fd& existing, const fs::path& path);

  const server::Server& server_;
  Messages& messages_;
  const fs::path directory_;
  const std::string caller_;
  const wal_archive::WalCoding coding_;
  const std::optional<std::uint64_t> system_id_;
  Files files_;
  std::map<std::string, std::string> checksums_;
  DigestAlgorithm algorithm_ = DigestAlgorithm::sha256;

  // The member being received: a list of checksums, or a file.
  std::string list_;
  bool is_list_ = false;
  Files::iterator current_;
  std::int64_t mtime_ = 0;
  Digest digest_{DigestAlgorithm::sha256};
};

void WalStream::begin_member(const pipeline::TarMember& member) {
  if (member.type != pipeline::TarMemberType::regular) {
    const char type = member.type == pipeline::TarMemberType::directory ? '5' : '2';
    refuse(fmt::format("Unsupported file type '{}' for file", type), member.path);
  }
  if (member.path.find('/') != std::string::npos || member.path.starts_with('.')) {
    refuse("Unsupported filename", member.path);
  }
  const auto algorithm = checksum_list_algorithm(member.path);
  is_list_ = algorithm.has_value();
  if (is_list_) {
    algorithm_ = *algorithm;
    list_.clear();
    return;
  }
  if (files_.contains(member.path)) refuse("Repeated filename", member.path);
  // Nothing else gets into the archive; a longer name would not even fit into errors/.
  if (!wal::parse_wal_file_name(member.path)) {
    throw Error(ErrorKind::usage,
                fmt::format("Not the name of a WAL file: '{}' in put-wal for server '{}'{}",
                            member.path, server_.name(), caller_),
                "Send files of pg_wal only, under their names (%f of archive_command).");
  }
  current_ = files_.emplace(member.path, ReceivedWal()).first;
  ReceivedWal& wal = current_->second;
  wal.temporary = directory_ / fmt::format(".{}-{}", ::getpid(), member.path);
  wal.file = create_file(wal.temporary, O_RDWR);
  mtime_ = member.mtime;
  digest_ = Digest(DigestAlgorithm::sha256);
}

void WalStream::write(Bytes data) {
  if (is_list_) {
    if (list_.size() + data.size() > kMaxChecksumFile) {
      throw Error(ErrorKind::corrupt, "the list of checksums is too large" + caller_);
    }
    list_ += as_text(data);
    return;
  }
  digest_.update(data);
  write_full(current_->second.file, data, current_->second.temporary);
}

void WalStream::end_member() {
  if (is_list_) {
    parse_checksums();
    return;
  }
  ReceivedWal& wal = current_->second;
  wal.sha256 = digest_.finish();
  const std::array<timespec, 2> times = {timespec{.tv_sec = mtime_, .tv_nsec = 0},
                                         timespec{.tv_sec = mtime_, .tv_nsec = 0}};
  if (::futimens(wal.file.get(), times.data()) != 0) {
    throw_errno("cannot set the time of \"" + wal.temporary.string() + "\"");
  }
}

void WalStream::parse_checksums() {
  ChecksumList list = parse_checksum_list(list_);
  for (const std::string& line : list.bad_lines) {
    messages_.warning(fmt::format("Bad checksum line '{}' found in put-wal for server '{}'{}", line,
                                  server_.name(), caller_));
  }
  for (auto& [name, checksum] : list.checksums) checksums_[name] = std::move(checksum);
}

std::string WalStream::checksum_of(const ReceivedWal& wal) const {
  return algorithm_ == DigestAlgorithm::sha256
             ? wal.sha256
             : digest_of_file(algorithm_, wal.file, wal.temporary);
}

void WalStream::verify_checksum(const std::string& name, const ReceivedWal& wal) {
  const auto announced = checksums_.find(name);
  if (announced == checksums_.end()) refuse("Missing checksum for file", name);
  const std::string computed = checksum_of(wal);
  if (announced->second == computed) return;
  throw Error(ErrorKind::corrupt,
              fmt::format("Bad file checksum '{}' (should be {}) for file '{}' in put-wal for "
                          "server '{}'{}",
                          computed, announced->second, name, server_.name(), caller_),
              "It was damaged on its way, and PostgreSQL sends it again; if that recurs, look at "
              "the network and the memory of both hosts.");
}

void WalStream::verify_content(const std::string& name, const ReceivedWal& wal) const {
  const wal_archive::WalStoredForm form = coding_.identify_received(wal.file, wal.temporary);
  const auto problem = wal_archive::find_content_problem(
      wal.file, wal.temporary, wal::parse_wal_file_name(name).value(), form, coding_, system_id_);
  if (!problem) return;
  const bool is_other = problem->fault == wal::ContentProblem::Fault::other_cluster;
  throw Error(ErrorKind::corrupt,
              fmt::format("WAL file '{}' is refused for server '{}': {}{}", name, server_.name(),
                          problem->text, caller_),
              is_other
                  ? wal_archive::other_cluster_step(server_.name(), "archive_command")
                  : "Check the server name in archive_command, and the cluster that calls it.");
}

void WalStream::verify() {
  for (const auto& [name, wal] : files_) {
    verify_checksum(name, wal);
    verify_content(name, wal);
  }
  for (const auto& [name, checksum] : checksums_) {
    if (!files_.contains(name)) refuse("Checksum without corresponding file", name);
  }
}

void WalStream::accept() {
  for (auto& [name, wal] : files_) sync_fd(wal.file, wal.temporary);
  for (auto& [name, wal] : files_) accept_file(name, wal);
  // Commit point: the names are durable.
  sync_directory(directory_);
}

void WalStream::accept_file(const std::string& name, ReceivedWal& wal) {
  const fs::path path = directory_ / name;
  // The archiver may take the existing file away between the two.
  while (!give_name(wal, path)) {
    if (settle_duplicate(name, wal, path)) break;
  }
  log::debug(log::kServerComponent, "received WAL file '{}' for server '{}'{}", name,
             server_.name(), caller_);
}

bool WalStream::give_name(const ReceivedWal& wal, const fs::path& path) {
  if (::renameat2(AT_FDCWD, wal.temporary.c_str(), AT_FDCWD, path.c_str(), RENAME_NOREPLACE) == 0) {
    return true;
  }
  if (errno == EINVAL || errno == ENOSYS) {  // a file system that cannot do that
    if (::link(wal.temporary.c_str(), path.c_str()) == 0) {
      ::unlink(wal.temporary.c_str());
      return true;
    }
  }
  if (errno == EEXIST) return false;
  throw_errno("cannot rename \"" + wal.temporary.string() + "\" to \"" + path.string() + "\"");
}

bool WalStream::settle_duplicate(const std::string& name, ReceivedWal& wal, const fs::path& path) {
  const std::optional<Fd> existing = find_file(path);
  if (!existing) return false;
  if (digest_of_file(DigestAlgorithm::sha256, *existing, path) == wal.sha256) {
    // We promise durability for it, whoever wrote it.
    sync_fd(*existing, path);
    ::unlink(wal.temporary.c_str());
    return true;
  }
  if (give_way(name, *existing, path)) return false;
  const std::string existing_checksum = digest_of_file(algorithm_, *existing, path);
  wal_archive::move_to_errors(server_.locations().errors_directory, wal.temporary, name,
                              wal_archive::RejectReason::duplicate, server_.clock().now());
  const std::string text = fmt::format(
      "Error: Duplicate Files Detected with Mismatched Checksums. File {} already exists on server "
      "{} with checksum {}, and was received with checksum {}. The received file was moved to the "
      "errors directory.{}",
      name, server_.name(), existing_checksum, checksum_of(wal), caller_);
  log::error(log::kServerComponent, "{}", text);
  messages_.info_unlogged("\t" + text);
  return true;
}

// The received file was verified; one that came otherwise and cannot be right must not keep it
// away.
bool WalStream::give_way(const std::string& name, const Fd& existing, const fs::path& path) {
  const auto problem = wal_archive::find_content_problem(
      existing, path, wal::parse_wal_file_name(name).value(),
      coding_.identify_received(existing, path), coding_, system_id_);
  if (!problem) return false;
  const fs::path moved =
      wal_archive::move_to_errors(server_.locations().errors_directory, path, name,
                                  wal_archive::RejectReason::unknown, server_.clock().now());
  const std::string text = fmt::format(
      "Error: the file {} that was in the incoming directory of server {} is none: {}. It was "
      "moved "
      "to \"{}\", and the one received now takes its place.{}",
      name, server_.name(), problem->text, moved.string(), caller_);
  log::error(log::kServerComponent, "{}", text);
  messages_.info_unlogged("\t" + text);
  return true;
}

// ".<pid>-<name>"; nullopt for other names.
std::optional<pid_t> owner_of_temporary(std::string_view name) {
  const std::size_t dash = name.find('-');
  if (!name.starts_with('.') || dash == name.npos || dash + 1 == name.size()) return std::nullopt;
  pid_t pid = 0;
  const char* const end = name.data() + dash;
  const auto [parsed, code] = std::from_chars(name.data() + 1, end, pid);
  if (code != std::errc{} || parsed != end || pid <= 0) return std::nullopt;
  return pid;
}

// What killed processes have left behind.
void remove_abandoned(const fs::path& directory, Timestamp time) {
  std::vector<std::string> names;
  try {
    names = list_directory(directory);
  } catch (const SystemError& error) {  // Only room is lost.
    log::warning(log::kServerComponent, "cannot look for abandoned files: {}", error.describe());
  }
  const std::int64_t now = time.seconds();
  for (const std::string& name : names) {
    const std::optional<pid_t> owner = owner_of_temporary(name);
    const fs::path path = directory / name;
    struct stat status = {};
    if (!owner || ::lstat(path.c_str(), &status) != 0) continue;
    const bool is_old = now - status.st_ctim.tv_sec > kAbandonedAfterSeconds;
    if (is_old && ::kill(*owner, 0) != 0 && errno == ESRCH) ::unlink(path.c_str());
  }
}

// Pushes the input into the reader; the number of bytes.
std::uint64_t read_input(int input, pipeline::TarReader& reader, const Interrupt& interrupt) {
  std::vector<std::byte> buffer(kReadSize);
  std::uint64_t total = 0;
  for (;;) {
    if (wait_for_fd(input, WaitFor::readable, kForever, interrupt) == WaitResult::interrupted) {
      interrupt.throw_if_requested();
    }
    const ssize_t count = ::read(input, buffer.data(), buffer.size());
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (count < 0) throw_errno("cannot read the standard input");
    if (count == 0) return total;
    total += static_cast<std::uint64_t>(count);
    try {
      reader.write(Bytes(buffer).first(static_cast<std::size_t>(count)));
    } catch (const Error& error) {  // It is no such archive: somebody compresses it, or talks.
      if (error.kind() != ErrorKind::corrupt || !error.hint().empty()) throw;
      throw Error(error.kind(), error.describe(), kTaken);
    }
  }
}

}  // namespace

void put_wal(const server::Server& server, int input, Messages& messages) {
  const fs::path directory = server.locations().incoming_directory;
  make_directories(directory);
  remove_abandoned(directory, server.clock().now());
  WalStream stream(server, messages);
  pipeline::TarReader reader(stream, "standard input");
  const std::uint64_t size = read_input(input, reader, server.interrupt());
  if (size == 0) throw Error(ErrorKind::internal, "empty file");
  if (size < kTarBlock) throw Error(ErrorKind::internal, "truncated header");
  // Users and scripts know this text for a stream that broke off.
  try {
    reader.finish();
  } catch (const Error& error) {
    throw Error(ErrorKind::internal, "unexpected end of data: " + error.describe());
  }
  stream.verify();
  stream.accept();
}

}  // namespace barman::wal_transfer
