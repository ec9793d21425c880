// `barman-cloud-wal-archive`: archive_command of a PostgreSQL that archives into a bucket.
#include <algorithm>
#include <filesystem>
#include <string>

#include <fmt/format.h>

#include "base/fd.h"
#include "cloud/wal_objects.h"
#include "cloud_cli/cloud_program.h"
#include "cloud_cli/cloud_programs.h"
#include "cloud_cli/hook_call.h"
#include "cloud_cli/parallel_archive.h"
#include "command_line/argument_value.h"
#include "command_line/parser.h"
#include "command_line/run_program.h"

namespace barman::cloud_cli {
namespace {

namespace fs = std::filesystem;
using command_line::ParsedArguments;
using command_line::ValueKind;

std::vector<command_line::OptionSpec> wal_archive_options() {
  std::vector<command_line::OptionSpec> options = {
      cloud_compression_option("gzip", "z"), cloud_compression_option("bzip2", "j"),
      cloud_compression_option("xz"),        cloud_compression_option("snappy"),
      cloud_compression_option("zstd"),      cloud_compression_option("lz4")};
  append_options(options,
                 {{.names = {"parallel"},
                   .short_names = "p",
                   .kind = ValueKind::non_negative,
                   .help = "with more than 1: archive up to so many files at once, of those "
                           "that wait in archive_status",
                   .metavar = "PARALLEL",
                   .default_text = "0"},
                  {.names = {"archived-cache-dir"},
                   .kind = ValueKind::text,
                   .help = "where it is noted which of them are archived "
                           "(/tmp/barman-SERVER-HASH)",
                   .metavar = "DIR",
                   .words = "directories"}});
  options.push_back({.names = {"compression-level"},
                     .kind = ValueKind::compression_level,
                     .help = "low, medium (as without the option), high, or an integer",
                     .metavar = "COMPRESSION_LEVEL"});
  append_options(options, tag_options());
  append_options(options,
                 {{.names = {"history-tag"},
                   .kind = ValueKind::object_tag,
                   .help = "tag of timeline history files; may be repeated. Without it they get "
                           "those of --tag",
                   .metavar = "KEY,VALUE",
                   .repetition = command_line::Repetition::accumulate,
                   .group = "history tags"},
                  {.names = {"history-tags"},
                   .kind = ValueKind::text,
                   .help = "the same, several behind one name (deprecated)",
                   .metavar = "KEY,VALUE",
                   .repetition = command_line::Repetition::several_values,
                   .group = "history tags"}});
  append_options(options, upload_options());
  append_options(options, {{.names = {"max-block-size"},
                            .kind = ValueKind::transfer_size,
                            .help = "size of the blocks of large files, Azure",
                            .metavar = "MAX_BLOCK_SIZE",
                            .default_text = "4MB"},
                           {.names = {"max-concurrency"},
                            .kind = ValueKind::positive,
                            .help = "blocks that are sent at once, Azure",
                            .metavar = "MAX_CONCURRENCY",
                            .default_text = "1"},
                           {.names = {"max-single-put-size"},
                            .kind = ValueKind::transfer_size,
                            .help = "size from which on files are sent in blocks, Azure",
                            .metavar = "MAX_SINGLE_PUT_SIZE",
                            .default_text = "64MB"}});
  return options;
}

// The file: of the command line, or of Barman when it calls a hook.
fs::path wal_path_of(const ParsedArguments& arguments) {
  if (const auto call = find_hook_call()) {
    if (!is_call_of(*call, "pre", "archive")) {
      throw Error(ErrorKind::config,
                  fmt::format("barman-cloud-wal-archive called as unsupported hook script: {}_{}",
                              call->phase, call->hook),
                  "Set it as pre_archive_script or pre_archive_retry_script.");
    }
    return require_hook_variable("BARMAN_FILE");
  }
  const auto path = arguments.find("wal_path");
  if (path) return *path;
  throw command_line::UsageError("the following arguments are required: wal_path");
}

// A segment of the usual size goes up in one request; large ones in parts, for the memory's sake.
std::uint64_t wal_part_size(const fs::path& path) {
  constexpr std::uint64_t kLargestPart = std::uint64_t{24} << 20;
  const auto status = find_status(path);
  const std::uint64_t size = status ? static_cast<std::uint64_t>(status->st_size) : 0;
  // What cannot be compressed becomes a little larger.
  const std::uint64_t bound = size + size / 64 + 65536;
  return std::clamp(bound, object_store::kDefaultPartSize, kLargestPart);
}

object_store::StoreOptions wal_store_options(const ParsedArguments& arguments, const fs::path& path,
                                             const wal::WalFileName& name) {
  object_store::StoreOptions options = upload_store_options(arguments);
  options.interrupt = cloud_interrupt();
  options.part_size_bytes = wal_part_size(path);
  options.tags = parse_tags(arguments, "tag");
  const object_store::ObjectTags history_tags = parse_tags(arguments, "history_tag");
  if (name.kind == wal::WalFileKind::history && !history_tags.empty()) options.tags = history_tags;
  options.max_block_size_bytes =
      command_line::parse_transfer_size(arguments.get("max_block_size")).value();
  options.max_single_put_size_bytes =
      command_line::parse_transfer_size(arguments.get("max_single_put_size")).value();
  // In one request, as far as that is allowed.
  if (options.part_size_bytes <= options.max_single_put_size_bytes) {
    options.max_block_size_bytes = std::max(options.max_block_size_bytes, options.part_size_bytes);
  }
  options.jobs = static_cast<unsigned>(arguments.find_integer("max_concurrency").value_or(1));
  return options;
}

int archive(const ParsedArguments& arguments) {
  const fs::path path = wal_path_of(arguments);
  auto name = wal::parse_wal_file_name(path.filename().string());
  if (!name) {
    throw ProgramEnd(kExitBadLine,
                     fmt::format("{} is an invalid name for a WAL file", path.string()));
  }
  const std::int64_t parallel = arguments.find_integer("parallel").value_or(0);
  // It may have been archived ahead.
  const OpenBucket bucket =
      open_bucket(arguments, wal_store_options(arguments, path, *name),
                  parallel > 1 ? FirstRequest::perhaps : FirstRequest::is_certain);
  if (arguments.is_set("test")) return test_connection(*bucket.store);
  cloud::WalUpload upload{.file = path,
                          .name = *std::move(name),
                          .compression = {},
                          .level = arguments.find("compression_level").value_or("medium")};
  if (const auto word = arguments.find("compression")) {
    upload.compression = compression::parse_algorithm(*word);
  }
  if (parallel > 1) {
    archive_in_parallel(bucket, upload,
                        {.count = static_cast<std::size_t>(parallel),
                         .directory = arguments.find("archived_cache_dir").value_or("")});
  } else {
    cloud::archive_wal_object(*bucket.store, bucket.layout, upload);
  }
  return kExitDone;
}

}  // namespace

const command_line::ProgramSpec& cloud_wal_archive_program() {
  static const command_line::ProgramSpec program = [] {
    command_line::ProgramSpec spec =
        cloud_program({.name = "barman-cloud-wal-archive",
                       .summary = "archive a WAL file into a bucket",
                       .description = "For archive_command of PostgreSQL, and for "
                                      "pre_archive_retry_script of Barman. A file "
                                      "that is there already is compared: the same content counts "
                                      "as archived, other content "
                                      "is refused and stays as it is.",
                       .url = UrlRole::destination,
                       .options = wal_archive_options(),
                       .positionals = {{.key = "wal_path",
                                        .metavar = "wal_path",
                                        .help = "path of the file, %p of archive_command",
                                        .arity = command_line::Arity::optional,
                                        .words = "files"}}});
    spec.epilogue =
        "For postgresql.conf: archive_command = 'barman-cloud-wal-archive s3://BUCKET/PATH SERVER "
        "%p'";
    return spec;
  }();
  return program;
}

int run_cloud_wal_archive(int argc, char** argv) {
  return command_line::run_program(
      cloud_wal_archive_program(), argc, argv, [](const ParsedArguments& arguments) {
        return end_as_signalled(run_guarded("WAL archiver", arguments, archive));
      });
}

}  // namespace barman::cloud_cli
