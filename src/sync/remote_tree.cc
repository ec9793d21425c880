#include "sync/remote_tree.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <exception>
#include <memory>
#include <vector>

#include <fmt/format.h>

#include "base/anonymous_file.h"
#include "base/error.h"
#include "base/process.h"
#include "base/text.h"
#include "base/throttle.h"
#include "compression/codec.h"
#include "sync/primary_node.h"

namespace barman::sync {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kReadSize = std::size_t{256} << 10;
constexpr std::size_t kMaxErrorText = 4096;
constexpr int kForever = -1;

void pump(const Fd& input, pipeline::Sink& sink, const server::Server& server, Progress& progress) {
  Throttle throttle({.kib_per_second = static_cast<std::uint64_t>(
                         std::max<std::int64_t>(server.config().bandwidth_limit.value_or(0), 0))});
  std::vector<std::byte> buffer(kReadSize);
  for (;;) {
    if (wait_for_fd(input.get(), WaitFor::readable, kForever, server.interrupt()) ==
        WaitResult::interrupted) {
      server.interrupt().throw_if_requested();
    }
    const ssize_t count = ::read(input.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_errno("cannot read the answer of the primary node");
    if (count == 0) break;
    const auto size = static_cast<std::size_t>(count);
    sink.write(Bytes(buffer).first(size));
    progress.advance(size);
    throttle.take(size, server.interrupt());
  }
  sink.finish();
}

std::string error_text(const Fd& file) {
  std::string text(kMaxErrorText, '\0');
  text.resize(read_full_at(file, std::as_writable_bytes(std::span(text)), 0, "error output"));
  return mask_passwords(strip(text));
}

}  // namespace

std::string tar_command(const config::ServerConfig& config, const RemoteTree& tree) {
  // Those of GNU and BSD tar.
  return fmt::format("{} tar -C {} --format=pax {} - {}", *config.primary_ssh_command,
                     remote_word(tree.directory.string()),
                     config.network_compression ? "-czf" : "-cf", tree.names >= 0 ? "-T -" : ".");
}

void receive_tree(const server::Server& server, const RemoteTree& tree,
                  pipeline::TarVisitor& visitor, Progress& progress) {
  const std::string name = fmt::format("\"{}\" of the primary node", tree.directory.string());
  pipeline::TarReader reader(visitor, name);
  std::unique_ptr<pipeline::Sink> decompressor;
  if (server.config().network_compression) {
    decompressor = compression::make_decompressor(compression::Algorithm::gzip, reader, name);
  }
  PipeEnds pipe = make_pipe();
  const Fd errors = open_anonymous_file(fs::temp_directory_path());
  const Fd nothing = open_file("/dev/null", O_RDONLY);
  ChildProcess tar(shell_command(tar_command(server.config(), tree)),
                   {.input = tree.names >= 0 ? tree.names : nothing.get(),
                    .output = pipe.write_end.get(),
                    .error = errors.get()});
  pipe.write_end = Fd();
  // When ssh or tar has failed, that is the reason why the archive is cut off.
  std::exception_ptr failure;
  try {
    pump(pipe.read_end, decompressor ? *decompressor : reader, server, progress);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::corrupt) throw;
    failure = std::current_exception();
  }
  pipe.read_end = Fd();
  const int exit_code = tar.wait();
  if (exit_code != 0) {
    const std::string text = error_text(errors);
    throw Error(ErrorKind::remote,
                fmt::format("cannot copy {}: \"{}\" ended with exit code {}{}", name,
                            *server.config().primary_ssh_command, exit_code,
                            text.empty() ? "" : ": " + text),
                "Try primary_ssh_command by hand, as the user that runs barman; tar must be "
                "installed on the primary node.");
  }
  if (failure) std::rethrow_exception(failure);
  // Every tar writes it, and nobody else: a command that says nothing has not sent an empty tree.
  if (!reader.has_end_marker()) {
    throw Error(
        ErrorKind::corrupt,
        fmt::format("cannot copy {}: \"{}\" ended without an error, but what it sent is not "
                    "a whole tar archive",
                    name, *server.config().primary_ssh_command),
        "Try primary_ssh_command by hand, as the user that runs barman.");
  }
}

std::optional<std::string> list_remote_digests(const server::Server& server,
                                               const fs::path& directory) {
  const std::string& ssh = *server.config().primary_ssh_command;
  const Fd nothing = open_file("/dev/null", O_RDONLY);
  const Fd output = open_anonymous_file(fs::temp_directory_path());
  const Fd errors = open_anonymous_file(fs::temp_directory_path());
  const auto run = [&](const std::string& command, int output_fd) {
    ChildProcess process(shell_command(ssh + command),
                         {.input = nothing.get(), .output = output_fd, .error = errors.get()});
    const std::optional<int> exit_code = process.wait_unless_interrupted(server.interrupt());
    if (!exit_code) server.interrupt().throw_if_requested();
    return exit_code.value_or(-1);
  };
  const int exit_code =
      run(fmt::format(" find {} -type f -exec sha256sum {{}} +", remote_word(directory.string())),
          output.get());
  if (exit_code != 0) {
    // As shells say it of a program that is not there.
    constexpr int kNotFound = 127;
    const std::string text = error_text(errors);
    const Fd ignored = open_anonymous_file(fs::temp_directory_path());
    if (exit_code == kNotFound || run(" sha256sum /dev/null", ignored.get()) == kNotFound) {
      return std::nullopt;
    }
    throw Error(
        ErrorKind::remote,
        fmt::format("cannot compare \"{}\" with that of the primary node: \"{}\" ended with "
                    "exit code {}{}",
                    directory.string(), ssh, exit_code, text.empty() ? "" : ": " + text),
        "Let primary_ssh_command run 'find' and 'sha256sum' on the primary node.");
  }
  struct stat status = {};
  if (::fstat(output.get(), &status) != 0) throw_errno("cannot read the list of digests");
  std::string listing(static_cast<std::size_t>(status.st_size), '\0');
  listing.resize(
      read_full_at(output, std::as_writable_bytes(std::span(listing)), 0, "list of digests"));
  return listing;
}

}  // namespace barman::sync
