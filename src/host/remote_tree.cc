#include "host/remote_tree.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <exception>
#include <memory>
#include <vector>

#include <fmt/format.h>

#include "base/anonymous_file.h"
#include "base/error.h"
#include "base/process.h"
#include "base/throttle.h"
#include "compression/codec.h"

namespace barman::host {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kReadSize = std::size_t{256} << 10;
constexpr int kForever = -1;

void pump(const Fd& input, pipeline::Sink& sink, const std::string& name,
          const TreeTransfer& transfer) {
  Throttle throttle(transfer.bandwidth_limit);
  std::vector<std::byte> buffer(kReadSize);
  for (;;) {
    if (wait_for_fd(input.get(), WaitFor::readable, kForever, transfer.interrupt) ==
        WaitResult::interrupted) {
      transfer.interrupt.throw_if_requested();
    }
    const ssize_t count = ::read(input.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_errno("cannot read what is sent of " + name);
    if (count == 0) break;
    const auto size = static_cast<std::size_t>(count);
    sink.write(Bytes(buffer).first(size));
    transfer.progress.advance(size);
    throttle.take(size, transfer.interrupt);
  }
  sink.finish();
}

}  // namespace

std::vector<std::string> tar_command(const RemoteTree& tree, bool is_compressed) {
  // Those of GNU and BSD tar.
  std::vector<std::string> words = {
      "tar", "-C", tree.directory.string(), "--format=pax", is_compressed ? "-czf" : "-cf", "-"};
  if (tree.names >= 0) {
    words.insert(words.end(), {"-T", "-"});
  } else {
    words.emplace_back(".");
  }
  return words;
}

void receive_tree(const Host& host, const RemoteTree& tree, pipeline::TarVisitor& visitor,
                  const TreeTransfer& transfer) {
  const std::string name = fmt::format("\"{}\" of {}", tree.directory.string(), host.title());
  pipeline::TarReader reader(visitor, name);
  std::unique_ptr<pipeline::Sink> decompressor;
  if (transfer.is_compressed) {
    decompressor = compression::make_decompressor(compression::Algorithm::gzip, reader, name);
  }
  PipeEnds pipe = make_pipe();
  const Fd errors = open_anonymous_file(fs::temp_directory_path());
  const Fd nothing = open_file("/dev/null", O_RDONLY);
  ChildProcess tar = host.start(tar_command(tree, transfer.is_compressed),
                                {.input = tree.names >= 0 ? tree.names : nothing.get(),
                                 .output = pipe.write_end.get(),
                                 .error = errors.get()});
  pipe.write_end = Fd();
  // When ssh or tar has failed, that is the reason why the archive is cut off.
  std::exception_ptr failure;
  try {
    pump(pipe.read_end, decompressor ? *decompressor : reader, name, transfer);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::corrupt) throw;
    failure = std::current_exception();
  }
  pipe.read_end = Fd();
  const int exit_code = tar.wait();
  if (exit_code != 0) {
    const std::string text = read_error_text(errors);
    throw Error(ErrorKind::remote,
                fmt::format("cannot copy {}: \"{}\" ended with exit code {}{}", name,
                            host.describe(), exit_code, text.empty() ? "" : ": " + text),
                fmt::format("{} There must be tar on {}.", host.hint(), host.title()));
  }
  if (failure) std::rethrow_exception(failure);
  // Every tar writes it, and nobody else: a command that says nothing has not sent an empty tree.
  if (!reader.has_end_marker()) {
    throw Error(
        ErrorKind::corrupt,
        fmt::format("cannot copy {}: \"{}\" ended without an error, but what it sent is not "
                    "a whole tar archive",
                    name, host.describe()),
        host.hint());
  }
}

std::optional<std::string> list_remote_digests(const Host& host, const fs::path& directory,
                                               const Interrupt& interrupt) {
  const HostAnswer answer = host.run(
      {"find", directory.string(), "-type", "f", "-exec", "sha256sum", "{}", "+"}, interrupt);
  if (answer.exit_code == 0) return answer.read_output();
  // As shells say it of a program that is not there.
  constexpr int kNotFound = 127;
  if (answer.exit_code == kNotFound ||
      host.run({"sha256sum", "/dev/null"}, interrupt).exit_code == kNotFound) {
    return std::nullopt;
  }
  throw Error(ErrorKind::remote,
              fmt::format("cannot compare \"{}\" with that of {}: \"{}\" ended with exit code "
                          "{}{}",
                          directory.string(), host.title(), host.describe(), answer.exit_code,
                          answer.reason()),
              fmt::format("{} It must be able to run 'find' and 'sha256sum'.", host.hint()));
}

}  // namespace barman::host
