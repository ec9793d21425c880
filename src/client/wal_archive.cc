#include "client/wal_archive.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/error.h"
#include "base/process.h"
#include "client/archived_ahead.h"
#include "client/command_line.h"
#include "client/next_segments.h"
#include "client/put_stream.h"
#include "client/remote_barman.h"
#include "compression/algorithm.h"
#include "compression/stored_file.h"
#include "wal/wal_file_name.h"

namespace barman::client {
namespace fs = std::filesystem;
namespace {

constexpr int kExitNoConnection = 3;
constexpr std::uint64_t kNoLimit = ~std::uint64_t{0};
constexpr std::array kAlgorithms = {"gzip", "bzip2", "xz", "snappy", "zstd", "lz4"};

std::vector<ClientOption> archive_options() {
  return {{'U', "user", "USER", "user of ssh on the Barman host (barman)"},
          {0, "port", "PORT", "port of ssh on the Barman host"},
          {'c', "config", "FILE", "configuration file on the Barman host"},
          {'t', "test", "", "only test the connection and the configuration"},
          {0, "md5", "", "check the transfer with MD5 instead of SHA-256"},
          {'z', "gzip", "", "compress with gzip before sending"},
          {'j', "bzip2", "", "compress with bzip2"},
          {0, "xz", "", "compress with xz"},
          {0, "snappy", "", "compress with snappy"},
          {0, "zstd", "", "compress with zstd"},
          {0, "lz4", "", "compress with lz4"},
          {0, "compression-level", "LEVEL", "a number, low, medium (default) or high"},
          {'p', "parallel", "N", "send up to N waiting files at once"},
          {0, "prefetch-cache-dir", "DIR", "where it is kept which ones were sent",
           ClientValue::directory}};
}

struct Request {
  RemoteBarman barman;
  fs::path wal_path;
  PutOptions put;
  std::size_t parallel = 0;
  fs::path cache_directory;
  bool is_test = false;
};

PutOptions put_options(const ClientArguments& arguments) {
  PutOptions options;
  if (arguments.has("md5")) options.checksum = DigestAlgorithm::md5;
  for (const std::string& name : arguments.given) {
    if (std::find(kAlgorithms.begin(), kAlgorithms.end(), name) != kAlgorithms.end()) {
      options.algorithm = compression::parse_algorithm(name);
    }
  }
  const std::string level = arguments.value_or("compression-level", "medium");
  if (level != "low" && level != "medium" && level != "high") {
    // Also refuses what is no number at all, negative levels of zstd aside.
    const std::string digits = level.starts_with('-') ? level.substr(1) : level;
    if (digits.empty() || digits.find_first_not_of("0123456789") != std::string::npos) {
      throw ClientUsageError(
          fmt::format("argument --compression-level: invalid value: '{}'", level));
    }
  }
  if (options.algorithm) options.level = compression::resolve_level(*options.algorithm, level);
  return options;
}

Request make_request(const ClientArguments& arguments) {
  Request request;
  request.barman = {.host = arguments.positionals[0],
                    .user = arguments.value_or("user", "barman"),
                    .port = arguments.find("port"),
                    .config_file = arguments.find("config"),
                    .server = arguments.positionals[1]};
  request.wal_path = arguments.positionals[2];
  request.put = put_options(arguments);
  request.parallel = static_cast<std::size_t>(arguments.number_or("parallel", 0));
  request.cache_directory = arguments.value_or(
      "prefetch-cache-dir", ArchivedAhead::default_directory(request.barman).string());
  request.is_test = arguments.has("test");
  return request;
}

// What became of one connection.
struct Outcome {
  int exit_code = 0;
  // Of each file that was sent, in order.
  std::vector<std::string> sha256;
};

struct WalFile {
  fs::path path;
  Fd file;
};

// The failure of the pipe says less than what ssh says at its end.
int exit_code_of_broken_pipe(int ssh_exit_code) {
  return ssh_exit_code == kSshFailure ? kSshFailure : kExitFailure;
}

Outcome send(const Request& request, const std::vector<WalFile>& files) {
  PipeEnds pipe = make_pipe();
  ChildProcess ssh(put_wal_command(request.barman, RemoteMode::run),
                   {.input = pipe.read_end.get()});
  pipe.read_end = Fd();
  ::fcntl(pipe.write_end.get(), F_SETPIPE_SZ, 1 << 20);
  Outcome outcome;
  try {
    compression::FdSink sink(pipe.write_end.get(), "ssh", kNoLimit);
    PutStream stream(request.put, sink);
    for (const WalFile& wal : files) outcome.sha256.push_back(stream.add(wal.file, wal.path));
    stream.finish();
  } catch (const compression::ReaderGone&) {
    pipe.write_end = Fd();
    outcome.exit_code = exit_code_of_broken_pipe(ssh.wait());
    tell(fmt::format("Archival of WAL file {} failed: [Errno 32] Broken pipe",
                     files.front().path.string()));
    if (outcome.exit_code == kExitFailure) {
      tell("ERROR: Error executing ssh: [Errno 32] Broken pipe");
    }
    return outcome;
  }
  pipe.write_end = Fd();
  outcome.exit_code = ssh.wait();
  return outcome;
}

int report(int exit_code) {
  if (exit_code == 0) return kExitSuccess;
  if (exit_code == kSshFailure) {
    tell("ERROR: Connection problem with ssh");
    return kExitNoConnection;
  }
  if (exit_code == kExitFailure) return kExitFailure;
  tell("ERROR: Remote 'barman put-wal' command has failed!");
  // Beyond that, PostgreSQL restarts its archiver and counts no failure.
  return exit_code > kHighestExitCode ? kExitFailure : exit_code;
}

WalFile open_wal(const fs::path& path) { return {.path = path, .file = open_file(path, O_RDONLY)}; }

// The requested file, and those behind it that wait already.
std::vector<WalFile> collect(const Request& request, WalFile requested) {
  std::vector<WalFile> files;
  struct stat status = {};
  if (::fstat(requested.file.get(), &status) != 0) {
    throw_errno("cannot access \"" + request.wal_path.string() + "\"");
  }
  const auto size = static_cast<std::uint64_t>(status.st_size);
  files.push_back(std::move(requested));
  for (const std::string& name :
       list_ready_segments(request.wal_path, size, request.parallel - 1)) {
    // PostgreSQL may have taken it away meanwhile; its turn comes later then.
    std::optional<Fd> file = find_file(request.wal_path.parent_path() / name);
    if (!file) break;
    files.push_back({.path = request.wal_path.parent_path() / name, .file = std::move(*file)});
  }
  return files;
}

int archive_several(const Request& request, WalFile requested, ArchivedAhead& ahead) {
  const std::string name = request.wal_path.filename().string();
  if (ahead.holds(name, requested.file, requested.path)) return kExitSuccess;
  std::vector<WalFile> files = collect(request, std::move(requested));
  Outcome outcome = send(request, files);
  if (outcome.exit_code != 0 && outcome.exit_code != kSshFailure && files.size() > 1) {
    // One of the others must not keep this one waiting.
    tell("Archiving ahead has failed; sending the requested file alone.");
    files.resize(1);
    outcome = send(request, files);
  }
  if (outcome.exit_code == 0) {
    for (std::size_t i = 1; i < files.size(); ++i) {
      ahead.add(files[i].path.filename().string(), outcome.sha256[i]);
    }
    // The file is stored; forgetting that others are, too, only costs time.
    try {
      ahead.save(name);
    } catch (const Error& error) {
      tell(error.describe());
    }
  }
  return report(outcome.exit_code);
}

int archive(const Request& request) {
  if (request.is_test) return run_test(put_wal_command(request.barman, RemoteMode::test));
  if (fs::is_directory(request.wal_path)) {
    tell(fmt::format("ERROR: WAL_PATH cannot be a directory: {}", request.wal_path.string()));
    return kExitFailure;
  }
  WalFile requested = open_wal(request.wal_path);
  std::unique_ptr<ArchivedAhead> ahead;
  if (request.parallel > 1) {
    // Without the directory it is archived all the same, one by one.
    try {
      ahead = std::make_unique<ArchivedAhead>(request.cache_directory, request.barman);
    } catch (const Error& error) {
      tell(error.describe());
      tell("Archiving one WAL file at a time.");
    }
  }
  if (ahead) return archive_several(request, std::move(requested), *ahead);
  std::vector<WalFile> files;
  files.push_back(std::move(requested));
  return report(send(request, files).exit_code);
}

}  // namespace

const ClientProgram& wal_archive_program() {
  static const ClientProgram program = {
      .name = "barman-wal-archive",
      .summary = "send a WAL file to Barman on another host",
      .example = "archive_command = 'barman-wal-archive BARMAN_HOST SERVER_NAME %p'",
      .description =
          "Runs on the host of PostgreSQL, as user postgres, and hands the file through ssh to "
          "barman put-wal, which answers only when the file is complete and durable there. With "
          "--parallel other files that wait in pg_wal/archive_status are sent along, so that "
          "their turn takes no connection of its own.",
      .options = archive_options(),
      .positionals = {{"BARMAN_HOST", "the host of Barman", ClientValue::host},
                      {"SERVER_NAME", "name of the server in Barman's configuration"},
                      {"WAL_PATH", "path of the file, %p of archive_command", ClientValue::file}},
      .exits = {{"0", "The file is durable on the Barman host; with --test: it would be taken."},
                {"2", "Wrong usage, or the file could not be read or sent."},
                {"3", "The Barman host cannot be reached by ssh."},
                {"other", "That of barman put-wal, which has refused the file."}}};
  return program;
}

int run_wal_archive(int argc, char** argv) {
  return run_client(wal_archive_program(), argc, argv, [](const ClientArguments& arguments) {
    return archive(make_request(arguments));
  });
}

}  // namespace barman::client
