#include "client/wal_archive_program.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "base/error.h"
#include "client/archived_ahead.h"
#include "client/client_program.h"
#include "client/put_stream.h"
#include "client/remote_barman.h"
#include "client/send_ahead.h"
#include "command_line/run_program.h"
#include "compression/algorithm.h"
#include "host/shared_connection.h"

namespace barman::client {
namespace fs = std::filesystem;

using command_line::OptionSpec;
using command_line::ParsedArguments;
using command_line::tell;
using command_line::ValueKind;

namespace {

constexpr int kExitNoConnection = 3;
// How long the process in the background may take for a file, and to begin with it.
constexpr std::chrono::seconds kLongestArchiveWait{60};
constexpr std::chrono::milliseconds kUntilTaken{150};
constexpr std::chrono::milliseconds kArchivePoll{2};

OptionSpec algorithm_option(std::string_view name, std::string_view help,
                            std::string_view short_name = {}) {
  return {.names = {name},
          .short_names = short_name,
          .help = help,
          .target = "compression",
          .constant = name};
}

std::vector<OptionSpec> archive_options() {
  return with_connection_options(
      {{.names = {"test"},
        .short_names = "t",
        .help = "only test the connection and the configuration"},
       {.names = {"md5"}, .help = "check the transfer with MD5 instead of SHA-256"},
       algorithm_option("gzip", "compress with gzip before sending", "z"),
       algorithm_option("bzip2", "compress with bzip2", "j"),
       algorithm_option("xz", "compress with xz"),
       algorithm_option("snappy", "compress with snappy"),
       algorithm_option("zstd", "compress with zstd"),
       algorithm_option("lz4", "compress with lz4"),
       {.names = {"compression-level"},
        .kind = ValueKind::text,
        .help = "a number, low, medium (default) or high",
        .metavar = "LEVEL"},
       {.names = {"parallel"},
        .short_names = "p",
        .kind = ValueKind::non_negative,
        .help = "keep up to N waiting files sent in advance",
        .metavar = "N"},
       {.names = {"prefetch-cache-dir"},
        .kind = ValueKind::text,
        .help = "where it is kept which ones were sent",
        .metavar = "DIR",
        .words = "directories"}});
}

struct ArchiveWalRequest {
  RemoteBarman barman;
  fs::path wal_path;
  PutOptions put;
  std::size_t parallel = 0;
  fs::path cache_directory;
  bool is_test = false;
};

PutOptions put_options(const ParsedArguments& arguments) {
  PutOptions options;
  if (arguments.is_set("md5")) options.checksum = DigestAlgorithm::md5;
  if (const auto name = arguments.find("compression")) {
    options.algorithm = compression::parse_algorithm(*name);
  }
  const std::string level = arguments.find("compression_level").value_or("medium");
  if (level != "low" && level != "medium" && level != "high") {
    // Also refuses what is no number at all, negative levels of zstd aside.
    const std::string digits = level.starts_with('-') ? level.substr(1) : level;
    if (digits.empty() || digits.find_first_not_of("0123456789") != std::string::npos) {
      throw command_line::UsageError(
          fmt::format("argument --compression-level: invalid value: '{}'", level));
    }
  }
  if (options.algorithm) options.level = compression::resolve_level(*options.algorithm, level);
  return options;
}

ArchiveWalRequest make_archive_request(const ParsedArguments& arguments) {
  ArchiveWalRequest request;
  request.barman = remote_barman(arguments);
  request.wal_path = arguments.get("wal_path");
  request.put = put_options(arguments);
  request.parallel = static_cast<std::size_t>(arguments.find_integer("parallel").value_or(0));
  request.cache_directory =
      arguments.find("prefetch_cache_dir")
          .value_or(ArchivedAhead::default_directory(request.barman).string());
  request.is_test = arguments.is_set("test");
  return request;
}

// The failure of the pipe says less than what ssh says at its end.
int exit_code_of_broken_pipe(int ssh_exit_code) {
  return ssh_exit_code == kSshFailure ? kSshFailure : kExitFailure;
}

int report(const RemoteBarman& barman, int exit_code) {
  if (exit_code == 0) return kExitSuccess;
  if (exit_code == kSshFailure) {
    tell(connection_problem(barman));
    return kExitNoConnection;
  }
  if (exit_code == kExitFailure) return kExitFailure;
  tell("ERROR: Remote 'barman put-wal' command has failed!");
  // Beyond that, PostgreSQL restarts its archiver and counts no failure.
  return exit_code > kHighestExitCode ? kExitFailure : exit_code;
}

int send_alone(const ArchiveWalRequest& request, WalFile requested) {
  std::vector<WalFile> files;
  files.push_back(std::move(requested));
  const auto send = [&](const RemoteBarman& barman) {
    return send_wal_files(barman, request.put, files, [](const WalFile&) { return true; });
  };
  const host::SharedConnection connection(request.barman.ssh_target());
  RemoteBarman through_connection = request.barman;
  through_connection.ssh_options = connection.options();
  SentAhead outcome = send(through_connection);
  // The connection that was kept may have been cut; what arrives twice is stored once.
  if (outcome.exit_code == kSshFailure && connection.was_there()) outcome = send(request.barman);
  if (!outcome.is_pipe_broken) return report(request.barman, outcome.exit_code);
  const int exit_code = exit_code_of_broken_pipe(outcome.exit_code);
  tell(fmt::format("Archival of WAL file {} failed: [Errno 32] Broken pipe",
                   request.wal_path.string()));
  if (exit_code == kExitFailure) tell("ERROR: Error executing ssh: [Errno 32] Broken pipe");
  return report(request.barman, exit_code);
}

// True when it is durable at the other side, sent by the process in the background, which may be
// doing that while we wait.
bool was_sent_ahead(const ArchiveWalRequest& request, const WalFile& requested) {
  const std::string name = request.wal_path.filename().string();
  const auto start = std::chrono::steady_clock::now();
  for (;;) {
    // First: what it notes at its end must be seen.
    const bool is_sending = is_sending_ahead(request.cache_directory);
    const ArchivedAhead ahead(request.cache_directory, request.barman);
    if (ahead.holds(name, requested.file, requested.path)) return true;
    if (!is_sending) return false;
    const auto limit = ahead.is_on_its_way(name) ? kLongestArchiveWait : kUntilTaken;
    if (std::chrono::steady_clock::now() - start > limit) return false;
    std::this_thread::sleep_for(kArchivePoll);
  }
}

std::uint64_t size_of(const WalFile& wal) {
  struct stat status = {};
  if (::fstat(wal.file.get(), &status) != 0) {
    throw_errno("cannot access \"" + wal.path.string() + "\"");
  }
  return static_cast<std::uint64_t>(status.st_size);
}

int archive_with_sender(const ArchiveWalRequest& request, WalFile requested) {
  const std::uint64_t size_bytes = size_of(requested);
  const int exit_code =
      was_sent_ahead(request, requested) ? kExitSuccess : send_alone(request, std::move(requested));
  if (exit_code != kExitSuccess) return exit_code;
  // The file is stored; that others are not sent ahead only costs time.
  try {
    start_sending_ahead({.barman = request.barman,
                         .put = request.put,
                         .wal_path = fs::absolute(request.wal_path),
                         .segment_size_bytes = size_bytes,
                         .limit = request.parallel - 1,
                         .directory = fs::absolute(request.cache_directory)});
  } catch (const Error& error) {
    tell(error.describe());
  }
  return kExitSuccess;
}

int archive(const ArchiveWalRequest& request) {
  if (request.is_test) {
    return run_test(request.barman, put_wal_command(request.barman, RemoteMode::test));
  }
  if (fs::is_directory(request.wal_path)) {
    tell(fmt::format("ERROR: WAL_PATH cannot be a directory: {}", request.wal_path.string()));
    return kExitFailure;
  }
  WalFile requested = {.path = request.wal_path,
                       .file = open_file(request.wal_path, O_RDONLY, 0600, Links::follow)};
  if (request.parallel <= 1) return send_alone(request, std::move(requested));
  // Without the directory it is archived all the same, one by one.
  try {
    const ArchivedAhead is_usable(request.cache_directory, request.barman);
  } catch (const Error& error) {
    tell(error.describe());
    tell("Archiving one WAL file at a time.");
    return send_alone(request, std::move(requested));
  }
  return archive_with_sender(request, std::move(requested));
}

}  // namespace

const command_line::ProgramSpec& wal_archive_program() {
  static const command_line::ProgramSpec program = [] {
    command_line::ProgramSpec spec = client_program("barman-wal-archive");
    spec.summary = "send a WAL file to Barman on another host";
    spec.description =
        "Runs on the host of PostgreSQL, as user postgres, and hands the file through ssh to "
        "barman put-wal, which answers only when the file is complete and durable there. The "
        "connection stays open for a minute, for the next call (ControlMaster of ssh_config; its "
        "socket is in barman-ssh-UID of the directory for temporary files). With "
        "--parallel a process in the background sends the next files that wait in "
        "pg_wal/archive_status over connections that it keeps open, so that their turn only "
        "takes a look at what was sent.";
    spec.arguments = {
        .options = archive_options(),
        .positionals = with_barman_positionals({{.key = "wal_path",
                                                 .metavar = "WAL_PATH",
                                                 .help = "path of the file, %p of archive_command",
                                                 .words = "files"}})};
    spec.example = "archive_command = 'barman-wal-archive BARMAN_HOST SERVER_NAME %p'";
    spec.exits = {{"0", "The file is durable on the Barman host; with --test: it would be taken."},
                  {"2", "Wrong usage, or the file could not be read or sent."},
                  {"3", "The Barman host cannot be reached by ssh."},
                  {"255", "The same, with --test."},
                  {"other", "That of barman put-wal, which has refused the file."}};
    return spec;
  }();
  return program;
}

int run_wal_archive(int argc, char** argv) {
  return command_line::run_program(
      wal_archive_program(), argc, argv,
      [](const ParsedArguments& arguments) { return archive(make_archive_request(arguments)); });
}

}  // namespace barman::client
