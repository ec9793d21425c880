#include "wal_transfer/get_wal.h"

#include <fmt/format.h>

#include "base/hint.h"
#include "cli/commands.h"
#include "cli/exit_code.h"
#include "cli/server_factory.h"
#include "cli/server_selection.h"
#include "cli/wal_of_caller.h"
#include "client/caller_cluster.h"
#include "wal/wal_file_name.h"

namespace barman::cli {
namespace {

wal_transfer::WalForm requested_form(const ParsedArguments& arguments) {
  if (arguments.is_set("keep_compression")) return wal_transfer::WalForm::as_stored;
  const std::optional<std::string> compression = arguments.find("compression");
  if (!compression) return wal_transfer::WalForm::plain;
  if (*compression == "lz4") return wal_transfer::WalForm::lz4;
  if (*compression == "zstd") return wal_transfer::WalForm::zstd;
  return *compression == "gzip" ? wal_transfer::WalForm::gzip : wal_transfer::WalForm::bzip2;
}

wal_transfer::WalRequest requested_wal(const ParsedArguments& arguments) {
  return {.wal_name = arguments.get("wal_name"),
          .partial_files = arguments.is_set("partial") ? wal_transfer::PartialWal::accept
                                                       : wal_transfer::PartialWal::ignore,
          .form = requested_form(arguments)};
}

// Sends or writes the file, or lists names, as the options say.
void serve(const server::Server& server, CommandContext& context) {
  const ParsedArguments& arguments = context.arguments;
  const wal_transfer::WalRequest request = requested_wal(arguments);
  if (const auto count = arguments.find_integer("peek")) {
    for (const std::string& found :
         wal_transfer::peek_wals(server, request.wal_name, static_cast<std::uint64_t>(*count))) {
      context.reporter.info_unlogged(found);
    }
  } else if (const auto directory = arguments.find("output_directory")) {
    wal_transfer::write_wal(server, request, *directory, context.reporter);
  } else {
    // Found before the output becomes raw: until then messages have the form that was asked for.
    const wal_transfer::FoundWal wal = wal_transfer::find_wal(server, request);
    const int fd = context.reporter.begin_raw_output();
    if (wal_transfer::send_wal(server, wal, fd) == wal_transfer::SendOutcome::reader_gone) {
      context.reporter.mark_failed();
    }
  }
}

bool has_wal(const server::Server& server, const wal_transfer::WalRequest& request) {
  try {
    wal_transfer::find_wal(server, request);
    return true;
  } catch (const Error& error) {  // The trouble of another server is not the caller's.
    if (error.kind() == ErrorKind::interrupted) throw;
    return false;
  }
}

// History files do not tell whose they are, and PostgreSQL follows whichever it gets: only those of
// the server that was named are given, and that there are others is told.
void serve_history(const server::Server& server, CommandContext& context) {
  const wal_transfer::WalRequest request = requested_wal(context.arguments);
  for (const server::Server& old : predecessors_of(context, server)) {
    if (!has_wal(old, request)) continue;
    context.reporter.warning(with_hint(
        fmt::format("which cluster asks for {} is not known: this is the answer for the cluster of "
                    "server '{}'; server '{}', with the catalogue that was its before, has a file "
                    "of that name",
                    request.wal_name, server.name(), old.name()),
        fmt::format("For a cluster that was restored from a backup of '{}', name it in "
                    "restore_command, or say who asks: {}",
                    old.name(), client::kClusterOption)));
  }
  serve(server, context);
}

// Barman's texts know the server by the name that was asked for.
void serve_caller(const server::Server& server, CommandContext& context) {
  const std::optional<std::uint64_t> caller = find_caller(context.arguments);
  if (caller) return serve(server_of_caller(context, server, *caller), context);
  const std::optional<wal::WalFileName> name =
      wal::parse_wal_file_name(context.arguments.get("wal_name"));
  if (name && name->kind == wal::WalFileKind::history && !context.arguments.find("peek"))
    return serve_history(server, context);
  try {
    serve(server, context);
  } catch (const wal_transfer::WalNotFound&) {  // The name is the old cluster's, perhaps.
    if (context.arguments.find("peek") || !name || !wal::is_segment_name(name->name)) throw;
    for (const server::Server& old : predecessors_of(context, server)) {
      try {
        return serve(old, context);
      } catch (const wal_transfer::WalNotFound&) {
        continue;
      }
    }
    throw;
  }
}

}  // namespace

void run_get_wal(CommandContext& context) {
  const ParsedArguments& arguments = context.arguments;
  const config::ServerConfig* config = select_server(context);
  if (config == nullptr) return;
  if (arguments.is_set("test")) {
    context.reporter.info("Ready to retrieve WAL files from the server " + config->name);
    return;
  }
  const auto compression = arguments.find("compression");
  if (compression && arguments.is_set("keep_compression")) {
    throw Error(ErrorKind::usage,
                "argument `" + *compression + "` not allowed with argument `keep-compression`",
                "Give one of the two.");
  }
  try {
    serve_caller(make_server(context, *config), context);
  } catch (const wal_transfer::BadWalRequest& error) {  // Has an exit code of its own.
    report_error(context.reporter, error);
    context.reporter.set_exit_code(kExitBadWalRequest);
  } catch (const wal_transfer::WalNotFound& error) {  // The only one that ends with 1.
    report_error(context.reporter, error);
    context.reporter.set_exit_code(kExitFailure);
  } catch (const Error& error) {
    const bool is_own = failure_code("get-wal", arguments) != kExitFailure;
    if (is_own || error.kind() == ErrorKind::interrupted) throw;
    report_error(context.reporter, error);
    context.reporter.set_exit_code(kExitWalUnreadable);
  }
}

}  // namespace barman::cli
