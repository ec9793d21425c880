#include "client/wal_restore_program.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/hint.h"
#include "client/caller_cluster.h"
#include "client/client_program.h"
#include "client/prefetch.h"
#include "client/recovery_end.h"
#include "client/remote_barman.h"
#include "client/spool.h"
#include "client/wal_destination.h"
#include "command_line/run_program.h"
#include "host/host.h"
#include "host/shared_connection.h"
#include "wal/wal_file_name.h"

namespace barman::client {
namespace fs = std::filesystem;

using command_line::OptionSpec;
using command_line::ParsedArguments;
using command_line::tell;
using command_line::ValueKind;

namespace {

constexpr int kExitNotFound = 1;
constexpr int kExitBadRequest = 3;
constexpr int kExitSignalBase = 128;
// A network that fails for a moment must not look like the end of the WAL.
constexpr int kAttempts = 3;
constexpr int kPatientAttempts = 15;
constexpr std::chrono::milliseconds kBetweenAttempts{1000};
constexpr std::chrono::milliseconds kRestorePoll{2};
constexpr std::chrono::seconds kLongestWait{60};

OptionSpec compression_option(std::string_view name, std::string_view help,
                              std::string_view short_name = {}) {
  return {.names = {name},
          .short_names = short_name,
          .help = help,
          .target = "compression",
          .constant = name,
          .group = "compression"};
}

std::vector<OptionSpec> restore_options() {
  return with_connection_options(
      {{.names = {"sleep"},
        .short_names = "s",
        .kind = ValueKind::non_negative,
        .help = "wait before failing (0)",
        .metavar = "SECONDS"},
       {.names = {"parallel"},
        .short_names = "p",
        .kind = ValueKind::non_negative,
        .help = "keep up to JOBS files fetched in advance",
        .metavar = "JOBS"},
       {.names = {"spool-dir"},
        .kind = ValueKind::text,
        .help = "where these are kept (/var/tmp/walrestore)",
        .metavar = "DIR",
        .words = "directories"},
       {.names = {"partial"},
        .short_names = "P",
        .help = "also take files that are not complete yet"},
       compression_option("gzip", "compress with gzip on the wire (deprecated)", "z"),
       compression_option("bzip2", "compress with bzip2 on the wire (deprecated)", "j"),
       compression_option("zstd", "compress with zstd on the wire"),
       compression_option("lz4", "compress with lz4 on the wire (least work)"),
       compression_option("keep-compression", "send the file as it is stored"),
       {.names = {"test"},
        .short_names = "t",
        .help = "only test the connection and the configuration"}});
}

struct RestoreWalRequest {
  RemoteBarman barman;
  GetWalRequest wal;
  fs::path destination;
  std::int64_t sleep_seconds = 0;
  std::size_t parallel = 0;
  fs::path spool_directory;
};

RestoreWalRequest make_restore_request(const ParsedArguments& arguments) {
  RestoreWalRequest request;
  request.barman = remote_barman(arguments);
  const std::string compression = arguments.find("compression").value_or("");
  request.wal = {.wal_name = arguments.get("wal_name"),
                 .takes_partial = arguments.is_set("partial"),
                 .system_id = find_caller_system_id()};
  if (!compression.empty()) request.wal.compression_options.push_back("--" + compression);
  if (arguments.is_set("test")) {
    request.wal = {.wal_name = "dummy_wal_name", .mode = RemoteMode::test};
  }
  request.destination = arguments.get("wal_dest");
  request.sleep_seconds = arguments.find_integer("sleep").value_or(0);
  request.parallel = static_cast<std::size_t>(arguments.find_integer("parallel").value_or(0));
  request.spool_directory = arguments.find("spool_dir").value_or("/var/tmp/walrestore");
  if (compression == "gzip" || compression == "bzip2") {
    std::fputs(
        fmt::format("WARNING: the option --{} is deprecated; use --keep-compression\n", compression)
            .c_str(),
        stdout);
  }
  return request;
}

int fail(const RestoreWalRequest& request, int exit_code) {
  if (request.sleep_seconds > 0) {
    std::fputs(fmt::format("Sleeping for {} seconds.\n", request.sleep_seconds).c_str(), stdout);
    std::fflush(stdout);
    std::this_thread::sleep_for(std::chrono::seconds(request.sleep_seconds));
  }
  return exit_code;
}

// Of ssh and of the remote get-wal.
int map_exit_code(const RemoteBarman& barman, const GetWalRequest& wal, int exit_code) {
  if (exit_code == kSshFailure) {
    tell(connection_problem(barman));
    return kExitFailure;
  }
  if (exit_code == kExitNotFound || exit_code == kExitBadRequest) {
    tell("ERROR: Remote 'barman get-wal' command has failed!");
    return exit_code;
  }
  // Ended by a signal: PostgreSQL is to know that this is not about the file.
  if (exit_code > kExitSignalBase) return exit_code;
  std::string hint;
  for (const std::string& option : wal.compression_options) {
    if (exit_code != kExitFailure || (option != "--zstd" && option != "--lz4")) continue;
    hint = fmt::format("If the barman there does not know {}, leave it out of restore_command.",
                       option);
  }
  tell(with_hint(fmt::format("ERROR: Remote 'barman get-wal' command has failed with exit code {}!",
                             exit_code),
                 hint));
  // It is not known whether the file is there.
  return kExitFailure;
}

// A server of that name may be another cluster by now (follow-upgrade): then the barman there is
// told who asks. Only then, since others do not know the option.
int fetch_of_own_cluster(const RemoteBarman& barman, const RestoreWalRequest& request,
                         WalDestination& destination) {
  try {
    return fetch_wal(barman, request.wal, destination.begin(), request.destination);
  } catch (const OtherCluster& other) {
    GetWalRequest again = request.wal;
    again.names_cluster = true;
    const int exit_code = fetch_wal(barman, again, destination.begin(), request.destination);
    if (exit_code == 0 || exit_code == kExitNotFound) return exit_code;
    throw OtherCluster(other);
  }
}

bool is_history(const std::string& name) {
  const std::optional<wal::WalFileName> parsed = wal::parse_wal_file_name(name);
  return parsed && parsed->kind == wal::WalFileKind::history;
}

// A history file tells nothing of its cluster. Where the barman there knows another one of that
// name it says so, and is told who asks.
int fetch_history(const RemoteBarman& barman, const RestoreWalRequest& request,
                  WalDestination& destination) {
  const Fd said(::memfd_create("said", MFD_CLOEXEC));
  if (said.get() < 0) throw_errno("cannot keep what ssh says");
  const int exit_code =
      fetch_wal(barman, request.wal, destination.begin(), request.destination, said.get());
  const std::string text = host::read_error_text(said);
  const bool is_answer = exit_code == kExitSuccess || exit_code == kExitNotFound;
  if (is_answer && text.find(kClusterOption) != std::string::npos) {
    GetWalRequest again = request.wal;
    again.names_cluster = true;
    return fetch_wal(barman, again, destination.begin(), request.destination);
  }
  if (!text.empty()) tell(text);
  return exit_code;
}

int fetch_to_destination(const RestoreWalRequest& request, WalDestination& destination) {
  RemoteBarman barman = request.barman;
  barman.ssh_options = host::SharedConnection(barman.ssh_target()).options();
  const int attempts = is_called_for_the_last_time() ? kPatientAttempts : kAttempts;
  int exit_code = 0;
  // By the exit code of ssh, which is all that is known: what the barman there has answered, and
  // what arrived damaged, is an answer. So base/retry.h does not fit.
  for (int attempt = 1;; ++attempt) {
    // Half a file, or what is no WAL, must not stay under the name that PostgreSQL reads.
    try {
      exit_code = request.wal.system_id && is_history(request.wal.wal_name)
                      ? fetch_history(barman, request, destination)
                      : fetch_of_own_cluster(barman, request, destination);
      if (exit_code == 0) destination.keep();
    } catch (...) {
      destination.remove();
      throw;
    }
    if (exit_code == 0) return kExitSuccess;
    if (exit_code != kSshFailure || attempt == attempts) break;
    std::this_thread::sleep_for(kBetweenAttempts);
  }
  destination.remove();
  return fail(request, map_exit_code(barman, request.wal, exit_code));
}

// True when the process in the background brought the file while we waited for it.
bool take_from_spool(const Spool& spool, const RestoreWalRequest& request) {
  const std::string& name = request.wal.wal_name;
  const auto end = std::chrono::steady_clock::now() + kLongestWait;
  while (std::chrono::steady_clock::now() < end) {
    if (spool.take(name, request.destination, request.wal.system_id)) return true;
    if (!spool.is_on_its_way(name)) break;
    std::this_thread::sleep_for(kRestorePoll);
  }
  return spool.take(name, request.destination, request.wal.system_id);
}

// What is wrong with the spool costs its advantage, not the recovery.
template <typename Function>
void try_spool(const Function& use) {
  try {
    use();
  } catch (const Error& error) {
    tell("WARNING: fetching no file in advance: " + error.describe_with_hint());
  }
}

int restore_with_spool(const RestoreWalRequest& request, WalDestination& destination) {
  std::optional<Spool> spool;
  bool is_taken = false;
  try_spool([&] {
    spool.emplace(request.spool_directory, request.barman);
    if (const auto warning = spool->take_warning()) {
      tell("WARNING: " + *warning);
    }
    spool->prune(request.wal.wal_name);
    is_taken = take_from_spool(*spool, request);
  });
  const int exit_code = is_taken ? kExitSuccess : fetch_to_destination(request, destination);
  if (exit_code != kExitSuccess || !spool) return exit_code;
  try_spool([&] {
    start_prefetching(*spool,
                      {.barman = request.barman,
                       .compression_options = request.wal.compression_options,
                       .system_id = request.wal.system_id,
                       .limit = request.parallel - 1},
                      request.wal.wal_name);
  });
  return exit_code;
}

int restore(const RestoreWalRequest& request) {
  if (request.wal.mode == RemoteMode::test) {
    return run_test(request.barman, get_wal_command(request.barman, request.wal));
  }
  if (fs::is_directory(request.destination)) {
    tell(fmt::format("ERROR: WAL_DEST cannot be a directory: {}", request.destination.string()));
    return fail(request, kExitBadRequest);
  }
  std::optional<WalDestination> destination;
  // Scripts know this text and the exit code that goes with it.
  try {
    destination.emplace(request.destination);
  } catch (const SystemError& error) {
    tell(fmt::format("ERROR: Unable to open WAL_DEST {}: {}", request.destination.string(),
                     errno_text(error.error_number())));
    return fail(request, kExitBadRequest);
  }
  return request.parallel > 1 ? restore_with_spool(request, *destination)
                              : fetch_to_destination(request, *destination);
}

}  // namespace

const command_line::ProgramSpec& wal_restore_program() {
  static const command_line::ProgramSpec program = [] {
    command_line::ProgramSpec spec = client_program("barman-wal-restore");
    spec.summary = "fetch a WAL file from Barman on another host";
    spec.description =
        "Runs on the host of PostgreSQL, as user postgres, and asks barman get-wal through ssh, "
        "over a connection that stays open for a minute, for the next call. "
        "With --parallel a process in the background fetches the next files into the spool "
        "directory, so that recovery does not wait for the network. --zstd and --lz4 need a "
        "barman "
        "there that knows them; --keep-compression is better for an archive that is compressed. "
        "A "
        "WAL_DEST that could not be filled is removed. What arrives is checked (its size, and "
        "the header that PostgreSQL has written) before it gets its name.";
    spec.arguments = {
        .options = restore_options(),
        .positionals = with_barman_positionals({{.key = "wal_name",
                                                 .metavar = "WAL_NAME",
                                                 .help = "name of the file, %f of restore_command"},
                                                {.key = "wal_dest",
                                                 .metavar = "WAL_DEST",
                                                 .help = "where to write it, %p of restore_command",
                                                 .words = "files"}})};
    spec.example = "restore_command = 'barman-wal-restore -P BARMAN_HOST SERVER_NAME %f %p'";
    spec.exits = {
        {"0", "The file is in WAL_DEST; with --test: the connection works."},
        {"1", "Barman does not have the file."},
        {"2", "Wrong usage, no connection, or what came is not the file that was asked for."},
        {"126",
         "The same, in a recovery that is no standby's: PostgreSQL stops, and goes on "
         "when it is started again. After 2 it would take the end of the connection for "
         "the end of the WAL."},
        {"3", "WAL_NAME is no name of a WAL file, or WAL_DEST cannot be opened."},
        {"255", "With --test: the Barman host cannot be reached by ssh."},
        {"above 128", "A signal ended the transfer; PostgreSQL stops its recovery."}};
    return spec;
  }();
  return program;
}

int run_wal_restore(int argc, char** argv) {
  const int exit_code = command_line::run_program(
      wal_restore_program(), argc, argv,
      [](const ParsedArguments& arguments) { return restore(make_restore_request(arguments)); });
  if (exit_code != kExitFailure || !is_called_for_the_last_time()) return exit_code;
  return stop_recovery();
}

}  // namespace barman::client
