// `barman-cloud-check-wal-archive`: whether a new cluster may archive to a place.
#include <string>

#include <fmt/format.h>

#include "base/log.h"
#include "cloud/wal_objects.h"
#include "cloud_cli/cloud_program.h"
#include "cloud_cli/cloud_programs.h"
#include "command_line/run_program.h"

namespace barman::cloud_cli {
namespace {

using command_line::ParsedArguments;

constexpr std::string_view kCheckComponent = "barman.cloud";

// A missing bucket is made. Throws ProgramEnd (2) when the provider cannot be reached.
bool has_bucket(object_store::ObjectStore& store) {
  try {
    return store.bucket_exists();
  } catch (const Error& error) {  // Scripts look at this code.
    if (error.kind() != ErrorKind::connection) throw;
    throw ProgramEnd(kExitNoStore, "Can't connect to cloud provider: " + error.describe(),
                     error.hint());
  }
}

// What forbids to archive there; "" when nothing does.
std::string find_archive_problem(const OpenBucket& bucket,
                                 std::optional<std::int64_t> first_timeline) {
  std::size_t count = 0;
  for (const cloud::WalObject& object : cloud::list_wal_objects(*bucket.store, bucket.layout)) {
    const std::int64_t timeline = object.name.name.timeline.value;
    if (!first_timeline || timeline >= *first_timeline) ++count;
  }
  if (count == 0) return "";
  if (!first_timeline) return "Expected empty archive";
  return fmt::format("Found {} file{} in WAL archive equal to or newer than timeline {}", count,
                     count == 1 ? "" : "s", *first_timeline);
}

int check(const ParsedArguments& arguments) {
  const OpenBucket bucket = open_bucket(arguments, store_options(arguments));
  const bool is_there = has_bucket(*bucket.store);
  if (arguments.is_set("test")) return kExitDone;
  if (!is_there) {
    log::info(kCheckComponent, "Bucket '{}' does not exist, creating it",
              bucket.store->url().bucket);
    bucket.store->create_bucket();
  }
  const std::string problem = find_archive_problem(bucket, arguments.find_integer("timeline"));
  if (problem.empty()) return kExitDone;
  throw ProgramEnd(kExitOperationFailed, fmt::format("WAL archive check failed for server {}: {}",
                                                     bucket.layout.server_name(), problem));
}

}  // namespace

const command_line::ProgramSpec& cloud_check_wal_archive_program() {
  static const command_line::ProgramSpec program = cloud_program(
      {.name = "barman-cloud-check-wal-archive",
       .summary = "check that a new cluster may archive WAL into a bucket",
       .description =
           "Another cluster must not have archived to the same place: the archive must be empty, "
           "or "
           "hold nothing of the given timeline and later ones. A bucket that is missing is made.",
       .url = UrlRole::destination,
       .takes_customer_key = false,
       .options = {{.names = {"timeline"},
                    .kind = command_line::ValueKind::positive,
                    .help = "the earliest timeline whose WAL may not be there",
                    .metavar = "TIMELINE"}}});
  return program;
}

int run_cloud_check_wal_archive(int argc, char** argv) {
  return command_line::run_program(cloud_check_wal_archive_program(), argc, argv,
                                   [](const ParsedArguments& arguments) {
                                     return run_guarded("WAL archive check", arguments, check);
                                   });
}

}  // namespace barman::cloud_cli
