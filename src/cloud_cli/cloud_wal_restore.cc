// `barman-cloud-wal-restore`: restore_command of a PostgreSQL whose WAL is in a bucket.
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "backup/copied_cluster.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/text.h"
#include "base/worker_pool.h"
#include "client/background.h"
#include "client/recovery_end.h"
#include "client/spool.h"
#include "client/wal_destination.h"
#include "cloud/wal_objects.h"
#include "cloud_cli/cloud_program.h"
#include "cloud_cli/cloud_programs.h"
#include "command_line/run_program.h"
#include "postgres/control_file.h"

namespace barman::cloud_cli {
namespace {

namespace fs = std::filesystem;
using command_line::ParsedArguments;
using command_line::ValueKind;

constexpr std::string_view kWalRestoreComponent = "barman.cloud";
constexpr std::size_t kFetchers = 8;

std::vector<command_line::OptionSpec> wal_restore_options() {
  return {{.names = {"no-partial"}, .help = "take no file that is not complete"},
          {.names = {"parallel"},
           .short_names = "p",
           .kind = ValueKind::integer,
           .help = "with more than 1: fetch the next files, too, so that there are up to so many",
           .metavar = "PARALLEL",
           .default_text = "0"},
          {.names = {"spool-dir"},
           .kind = ValueKind::text,
           .help = "where these are kept",
           .metavar = "SPOOL_DIR",
           .default_text = "/var/tmp/walrestore",
           .words = "directories"}};
}

// What is wrong with the spool costs its advantage, not the recovery.
std::optional<client::Spool> find_spool(const ParsedArguments& arguments) {
  try {
    const std::string& server = arguments.get("server_name");
    return client::Spool(arguments.get("spool_dir"), replace_all(server, "/", "_"),
                         arguments.get("url") + "\n" + server);
  } catch (const Error& error) {
    log::warning(kWalRestoreComponent, "fetching no file in advance: {}{}", error.describe(),
                 error.hint_line());
    return std::nullopt;
  }
}

bool take_from_spool(const client::Spool& spool, const std::string& name,
                     const fs::path& destination, std::optional<std::uint64_t> system_id) {
  try {
    if (const auto warning = spool.take_warning()) {
      log::warning(kWalRestoreComponent, "{}", *warning);
    }
    spool.prune(name);
    return spool.take(name, destination, system_id);
  } catch (const Error& error) {  // It is in the bucket, too.
    log::warning(kWalRestoreComponent, "{}", error.describe());
    return false;
  }
}

// Of the cluster that asks: PostgreSQL calls in its data directory, with a path below it. nullopt
// for others, who may ask for anybody's WAL.
std::optional<std::uint64_t> find_system_id(const fs::path& destination) {
  if (destination.is_absolute()) return std::nullopt;
  try {
    if (!find_status(backup::kControlFileName)) return std::nullopt;
    return postgres::read_control_file(".").system_id.value;
  } catch (const Error& error) {  // It is PostgreSQL's to tell.
    log::debug(kWalRestoreComponent, "{}", error.describe());
    return std::nullopt;
  }
}

void fetch_to(const OpenBucket& bucket, const cloud::FoundWalObjects& found,
              const fs::path& destination, std::optional<std::uint64_t> system_id) {
  client::WalDestination target(destination);
  try {
    cloud::fetch_wanted_wal(
        *bucket.store, found, [&]() -> const Fd& { return target.begin(); }, destination,
        system_id);
    target.keep();
  } catch (...) {
    target.remove();
    throw;
  }
}

// In a process of its own: PostgreSQL replays what it has asked for meanwhile.
void fetch_following(const ParsedArguments& arguments, const client::Spool& spool,
                     const std::vector<cloud::WalObject>& objects,
                     std::optional<std::uint64_t> system_id) {
  std::vector<cloud::WalObject> wanted;
  for (const cloud::WalObject& object : objects) {
    const std::string& name = object.name.name.name;
    const bool is_there = find_status(spool.directory() / name).has_value();
    if (!is_there && !spool.is_on_its_way(name)) wanted.push_back(object);
  }
  if (wanted.empty()) return;
  client::run_in_background([&] {
    spool.keep_reason_of([&] {
      const OpenBucket bucket = open_bucket(arguments);
      WorkerPool workers(std::min(kFetchers, wanted.size()));
      for (const cloud::WalObject& object : wanted) {
        workers.submit([&] {
          client::SpooledFile file(spool.directory(), object.name.name.name);
          cloud::fetch_wal_object(*bucket.store, object, file.file(), file.temporary_path(),
                                  system_id);
          file.keep();
        });
      }
      workers.wait();
    });
  });
}

// A recovery takes it for the end of the WAL: who has mistyped the place is told so. PostgreSQL
// asks for other files in vain, and a standby again and again: of a segment only, by one more
// listing.
[[noreturn]] void end_without(const OpenBucket& bucket, const wal::WalFileName& name) {
  std::string hint;
  const std::string place = bucket.layout.wals_prefix();
  try {
    if (name.kind == wal::WalFileKind::segment && bucket.store->list_directories(place).empty()) {
      hint = fmt::format(
          "{} holds no WAL segment at all: compare the URL and the name of the server with those "
          "of archive_command.",
          bucket.store->describe(place));
    }
  } catch (const Error& error) {  // That the file is not there was answered before.
    if (error.kind() == ErrorKind::interrupted) throw;
    log::debug(kWalRestoreComponent, "{}", error.describe());
  }
  throw ProgramEnd(kExitOperationFailed,
                   fmt::format("WAL file {} for server {} does not exist", name.name,
                               bucket.layout.server_name()),
                   hint);
}

int restore_wal(const ParsedArguments& arguments) {
  const std::string& wal_name = arguments.get("wal_name");
  const auto name = wal::parse_wal_file_name(wal_name);
  if (!name || name->name != wal_name) {
    throw ProgramEnd(kExitBadLine, fmt::format("{} is an invalid name for a WAL file", wal_name));
  }
  object_store::StoreOptions options = keyed_store_options(arguments);
  options.interrupt = cloud_interrupt();
  const std::int64_t parallel = arguments.find_integer("parallel").value_or(0);
  const bool prefetches = parallel > 1 && name->kind == wal::WalFileKind::segment;
  const OpenBucket bucket = open_bucket(
      arguments, options, prefetches ? FirstRequest::perhaps : FirstRequest::is_certain);
  if (arguments.is_set("test")) return test_connection(*bucket.store);
  const fs::path destination = arguments.get("wal_dest");
  const auto system_id = find_system_id(destination);
  const auto spool = prefetches ? find_spool(arguments) : std::nullopt;
  const bool is_taken = spool && take_from_spool(*spool, wal_name, destination, system_id);
  if (is_taken && !spool->list().empty()) return kExitDone;
  if (prefetches) object_store::prepare_requests();
  const cloud::FoundWalObjects found = cloud::find_wal_objects(
      *bucket.store, bucket.layout,
      {.name = *name,
       .partials = arguments.is_set("no_partial") ? cloud::Partials::refuse : cloud::Partials::take,
       .following = spool ? static_cast<std::size_t>(parallel - 1) : std::size_t{0}});
  if (!is_taken && !found.wanted) end_without(bucket, *name);
  if (!is_taken) fetch_to(bucket, found, destination, system_id);
  if (spool) fetch_following(arguments, *spool, found.following, system_id);
  return kExitDone;
}

}  // namespace

const command_line::ProgramSpec& cloud_wal_restore_program() {
  static const command_line::ProgramSpec program = [] {
    command_line::ProgramSpec spec = cloud_program(
        {.name = "barman-cloud-wal-restore",
         .summary = "fetch a WAL file from a bucket",
         .description =
             "For restore_command of PostgreSQL. The file gets its name when it is complete. Of "
             "several forms the file itself is taken, then its compressed form, then an unfinished "
             "one (.partial). With --parallel the files behind it are fetched by a process in the "
             "background.",
         .options = wal_restore_options(),
         .positionals = {{.key = "wal_name",
                          .metavar = "wal_name",
                          .help = "name of the file, %f of restore_command"},
                         {.key = "wal_dest",
                          .metavar = "wal_dest",
                          .help = "where to write it, %p of restore_command",
                          .words = "files"}}});
    spec.exits.push_back(
        {"126",
         "What would be 2 or 4, in a recovery that is no standby's: PostgreSQL stops, and goes on "
         "when it is started again. After 2 or 4 it would take the failure for the end of the "
         "WAL."});
    spec.epilogue =
        "For postgresql.conf: restore_command = 'barman-cloud-wal-restore s3://BUCKET/PATH SERVER "
        "%f %p'";
    return spec;
  }();
  return program;
}

int run_cloud_wal_restore(int argc, char** argv) {
  return command_line::run_program(
      cloud_wal_restore_program(), argc, argv, [](const ParsedArguments& arguments) {
        const int exit_code = end_as_signalled(run_guarded("WAL restore", arguments, restore_wal));
        const bool is_known = exit_code == kExitDone || exit_code == kExitOperationFailed ||
                              exit_code == kExitBadLine;
        if (is_known || arguments.is_set("test") || !client::is_called_for_the_last_time()) {
          return exit_code;
        }
        return client::stop_recovery();
      });
}

}  // namespace barman::cloud_cli
