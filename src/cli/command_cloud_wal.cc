// cloud-wal-archive and cloud-wal-restore: archive_command and restore_command of a PostgreSQL
// whose WAL archive is a bucket that this host knows by its configuration.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/log_components.h"
#include "base/text.h"
#include "base/worker_pool.h"
#include "cli/commands.h"
#include "cli/exit_code.h"
#include "cli/server_factory.h"
#include "cli/server_selection.h"
#include "cli/wal_of_caller.h"
#include "client/background.h"
#include "client/caller_cluster.h"
#include "client/recovery_end.h"
#include "client/spool.h"
#include "client/wal_destination.h"
#include "cloud/wal_objects.h"
#include "cloud_cli/parallel_archive.h"
#include "config/cloud_rules.h"
#include "object_store/object_store.h"
#include "object_store/store_url.h"
#include "server/server_hooks.h"
#include "server/server_storage.h"
#include "wal/wal_file_name.h"
#include "wal_archive/wal_archive.h"
#include "wal_archive/wal_filer.h"
#include "wal_archive/wal_hooks.h"
#include "wal_transfer/get_wal.h"

namespace barman::cli {
namespace {

namespace fs = std::filesystem;

// A store that does not answer, and what else says nothing of the file.
constexpr int kExitNotKnown = 2;
constexpr std::size_t kSegmentFetchers = 8;

void require_bucket(const config::ServerConfig& config, std::string_view command) {
  if (config.has_cloud_wals()) return;
  throw Error(ErrorKind::config,
              fmt::format("{} is not supported for server {} because no cloud storage "
                          "configuration is set in 'wals_directory'.",
                          command, config.name),
              "Set wals_directory to the URL of a bucket, s3://BUCKET/PATH.");
}

wal::WalFileName require_wal_file(const fs::path& path) {
  const auto status = find_status(path);
  if (status && S_ISDIR(status->st_mode)) {
    throw Error(ErrorKind::usage, fmt::format("wal_path cannot be a directory: {}", path.string()));
  }
  if (!status) {
    throw Error(ErrorKind::usage, fmt::format("WAL file does not exist: {}", path.string()));
  }
  auto name = wal::parse_wal_file_name(path.filename().string());
  if (!name || name->name != path.filename().string()) {
    throw Error(ErrorKind::usage, fmt::format("File is not a valid WAL file: {}", path.string()));
  }
  return *std::move(name);
}

// What would end in the bucket otherwise than the settings say.
void refuse_archiving(const config::ServerConfig& config) {
  if (config.backup_method != config::BackupMethod::local_to_cloud) {
    throw Error(ErrorKind::config,
                fmt::format("cloud-wal-archive is only supported for servers with 'backup_method' "
                            "set to 'local-to-cloud'. Please check the configuration of server {}.",
                            config.name));
  }
  require_bucket(config, "cloud-wal-archive");
  const auto problem = config::find_wal_bucket_problem(config);
  if (problem) throw Error(ErrorKind::config, *problem);
  if (config.encryption == config::Encryption::gpg) {
    throw Error(ErrorKind::config,
                fmt::format("cloud-wal-archive does not encrypt WAL, and 'encryption' is set for "
                            "server {}",
                            config.name),
                "Set encryption = none, or let archive-wal do it: archiver = on, and put-wal as "
                "archive_command.");
  }
}

// The bucket as the programs for buckets see it: keys begin with the name of the server.
cloud_cli::OpenBucket open_wal_bucket(const server::Server& server) {
  const config::ServerConfig& config = server.config();
  object_store::StoreUrl url = object_store::parse_store_url(
      config.wals_directory, object_store::find_provider_of_url(config.wals_directory).value());
  const std::string path = url.prefix;
  return {.store = object_store::open_store(
              url, server::bucket_options(config, server::ObjectsOf::wal, server.interrupt())),
          .doubled = nullptr,
          .layout = cloud::BucketLayout(config.name, path)};
}

void upload(const server::Server& server, const fs::path& path, const wal::WalFileName& name,
            std::size_t count) {
  const config::ServerConfig& config = server.config();
  const cloud_cli::OpenBucket bucket = open_wal_bucket(server);
  cloud::WalUpload wal{.file = path,
                       .name = name,
                       .compression = compression::parse_algorithm(config.compression.value_or("")),
                       .level = config.compression_level};
  if (count > 1) {
    cloud_cli::archive_in_parallel(
        bucket, wal,
        {.count = count, .directory = fs::path(config.meta_directory()) / "archived-ahead"});
  } else {
    cloud::archive_wal_object(*bucket.store, bucket.layout, wal);
  }
}

// PostgreSQL asks for each file, those that went up ahead, too: so each gets its line.
void archive_file(const server::Server& server, const fs::path& path, const wal::WalFileName& name,
                  std::size_t count) {
  const Fd file = open_file(path, O_RDONLY, 0600, Links::follow);
  const wal_archive::WalArchive archive(server);
  const wal_archive::WalIndexEntry received = wal_archive::inspect_received_wal(
      file, path, wal_archive::WalSource::incoming, archive.coding());
  // Made before the first object appears: then it is known to be complete.
  static_cast<void>(archive.index());
  upload(server, path, name, count);
  // Commit point: the object. A line that is missing after a crash comes when PostgreSQL asks
  // again.
  archive.index_object(name.name, received.mtime);
}

void archive_with_hooks(const server::Server& server, const fs::path& path,
                        const wal::WalFileName& name) {
  const server::HookScripts hooks = server::make_hooks(server, server::HookKind::archive);
  const wal_archive::WalArchive archive(server);
  wal_archive::WalIndexEntry entry =
      wal_archive::inspect_received_wal(open_file(path, O_RDONLY, 0600, Links::follow), path,
                                        wal_archive::WalSource::incoming, archive.coding());
  const fs::path target = archive.path_of(name.name);
  // The post scripts are told the outcome, whatever it is.
  try {
    hooks.run_pre(wal_archive::wal_hook_variables(entry, path));
    archive_file(server, path, name, 1);
    if (auto archived = archive.inspect(name.name)) entry = *std::move(archived);
  } catch (const Error& error) {
    hooks.run_post(wal_archive::wal_hook_variables(entry, target), error.describe());
    throw;
  }
  hooks.run_post(wal_archive::wal_hook_variables(entry, target), "");
}

// How many files at once: of the command line, else of the configuration.
std::size_t parallel_of(const ParsedArguments& arguments, std::int64_t configured) {
  return static_cast<std::size_t>(
      std::max<std::int64_t>(arguments.find_integer("parallel").value_or(configured), 0));
}

}  // namespace

void run_cloud_wal_archive(CommandContext& context) {
  const fs::path path = context.arguments.get("wal_path");
  const wal::WalFileName name = require_wal_file(path);
  const config::ServerConfig* config = select_server(context);
  if (config == nullptr) return;
  refuse_archiving(*config);
  const server::Server server = make_server(context, *config);
  if (server::make_hooks(server, server::HookKind::archive).is_configured()) {
    return archive_with_hooks(server, path, name);
  }
  archive_file(server, path, name,
               parallel_of(context.arguments, config->cloud_wal_archive_parallel));
}

namespace {

// One call of restore_command.
class RestoreCall {
 public:
  RestoreCall(const CommandContext& context, const config::ServerConfig& config)
      : context_(context),
        caller_(client::find_caller_system_id()),
        server_(server_for(context, config, caller_)),
        config_(server_.config()),
        name_(context.arguments.get("wal_name")) {}

  // Throws WalNotFound.
  void run() {
    const fs::path destination = context_.arguments.get("wal_dest");
    const std::size_t count = parallel_of(context_.arguments, config_.cloud_wal_restore_parallel);
    const auto name = wal::parse_wal_file_name(name_);
    if (count > 1 && name->kind == wal::WalFileKind::segment) find_spool();
    const bool is_taken = spool_ && take(destination);
    if (is_taken && !spool_->list().empty()) return;
    if (!is_taken) fetch(server_, name_, destination);
    if (spool_) fetch_following(count - 1);
  }

 private:
  // PostgreSQL would take WAL of another cluster for the end of its own.
  static server::Server server_for(const CommandContext& context,
                                   const config::ServerConfig& config,
                                   const std::optional<std::uint64_t>& caller) {
    if (!caller) return make_server(context, config);
    return server_of_caller(context, make_server(context, config), *caller);
  }

  // What is wrong with the spool costs its advantage, not the recovery.
  void find_spool() {
    try {
      spool_.emplace(context_.arguments.get("spool_dir"), replace_all(config_.name, "/", "_"),
                     config_.wals_directory + "\n" + config_.name);
    } catch (const Error& error) {
      log::warning(log::kServerComponent, "fetching no file in advance: {}{}", error.describe(),
                   error.hint_line());
    }
  }

  bool take(const fs::path& destination) const {
    try {
      if (const auto warning = spool_->take_warning()) {
        log::warning(log::kServerComponent, "{}", *warning);
      }
      spool_->prune(name_);
      return spool_->take(name_, destination, caller_);
    } catch (const Error& error) {  // It is in the bucket, too.
      log::warning(log::kServerComponent, "{}", error.describe());
      return false;
    }
  }

  // What was received here and is not archived yet counts, as in get-wal. What has been replayed a
  // standby cannot take back: it waits for the whole segment.
  static wal_transfer::FoundWal find(const server::Server& server, const std::string& name) {
    const bool is_standby = ::access("standby.signal", F_OK) == 0;
    return wal_transfer::find_wal(server,
                                  {.wal_name = name,
                                   .partial_files = is_standby ? wal_transfer::PartialWal::ignore
                                                               : wal_transfer::PartialWal::accept});
  }

  static void fetch(const server::Server& server, const std::string& name,
                    const fs::path& destination) {
    const wal_transfer::FoundWal found = find(server, name);
    client::WalDestination target(destination);
    try {
      wal_transfer::copy_wal(server, found, target.begin(), destination);
      target.keep();
    } catch (...) {
      target.remove();
      throw;
    }
  }

  // In a process of its own: PostgreSQL replays what it has asked for meanwhile.
  void fetch_following(std::size_t count) const {
    const std::vector<std::string> names = list_following(count);
    if (names.empty()) return;
    client::run_in_background([&] {
      // The descriptors of this process are closed: that of the log, and of the interrupt.
      log::open_log(std::nullopt, static_cast<int>(log::Level::critical));
      spool_->keep_reason_of([&] { fetch_into_spool(names); });
    });
  }

  void fetch_into_spool(const std::vector<std::string>& names) const {
    server::ProgramContext program = server_.program();
    program.interrupt = {};
    const server::Server server(config_, server_.global(), program);
    WorkerPool workers(std::min(kSegmentFetchers, names.size()));
    for (const std::string& name : names) {
      workers.submit([&server, &name, this] {
        const wal_transfer::FoundWal found = wal_transfer::find_wal(server, {.wal_name = name});
        client::SpooledFile file(spool_->directory(), name);
        wal_transfer::copy_wal(server, found, file.file(), file.temporary_path());
        file.keep();
      });
    }
    workers.wait();
  }

  // Of the same directory of the bucket: one listing.
  std::vector<std::string> list_following(std::size_t count) const {
    const wal_archive::WalArchive archive(server_);
    const std::string key = wal_archive::WalArchive::key_of(name_);
    std::set<std::string> names;
    archive.storage().list(
        key.substr(0, key.rfind('/') + 1), [&](const storage::ObjectFacts& object) {
          const std::string name = object.key.substr(object.key.rfind('/') + 1);
          const auto parsed = wal::parse_wal_file_name(name);
          const bool is_segment = parsed && parsed->kind == wal::WalFileKind::segment;
          if (is_segment && name > name_) names.insert(name);
        });
    std::vector<std::string> wanted;
    for (const std::string& name : names) {
      if (wanted.size() == count) break;
      const bool is_there = find_status(spool_->directory() / name).has_value();
      if (!is_there && !spool_->is_on_its_way(name)) wanted.push_back(name);
    }
    return wanted;
  }

  const CommandContext& context_;
  const std::optional<std::uint64_t> caller_;
  const server::Server server_;
  const config::ServerConfig& config_;
  const std::string name_;
  std::optional<client::Spool> spool_;
};

}  // namespace

void run_cloud_wal_restore(CommandContext& context) {
  const std::string& name = context.arguments.get("wal_name");
  const auto parsed = wal::parse_wal_file_name(name);
  if (!parsed || parsed->name != name) {
    throw Error(ErrorKind::usage, fmt::format("File is not a valid WAL file: {}", name));
  }
  const config::ServerConfig* config = select_server(context);
  if (config == nullptr) return;
  require_bucket(*config, "cloud-wal-restore");
  // PostgreSQL reads the exit code: 1 is the end of the WAL.
  try {
    RestoreCall(context, *config).run();
  } catch (const wal_transfer::WalNotFound&) {
    log::error(log::kServerComponent, "WAL file {} for server {} does not exist", name,
               config->name);
    return context.reporter.set_exit_code(kExitFailure);
  } catch (const Error& error) {
    report_error(context.reporter, error);
    context.reporter.set_exit_code(client::is_called_for_the_last_time() ? client::stop_recovery()
                                                                         : kExitNotKnown);
  }
}

}  // namespace barman::cli
