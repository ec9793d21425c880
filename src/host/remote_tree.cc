#include "host/remote_tree.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
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
#include "host/ended_child.h"
#include "pipeline/relative_path.h"

namespace barman::host {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kReadSize = std::size_t{256} << 10;
constexpr std::size_t kBeginSize = 512;
constexpr int kForever = -1;

// `begin` gets the first bytes.
void pump(const Fd& input, pipeline::Sink& sink, const std::string& name,
          const TreeTransfer& transfer, std::string& begin) {
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
    if (begin.empty()) begin = as_text(Bytes(buffer).first(std::min(size, kBeginSize)));
    sink.write(Bytes(buffer).first(size));
    transfer.progress.advance(size);
    throttle.take(size, transfer.interrupt);
  }
  sink.finish();
}

// Lines of text: the name that an archive begins with ends with a NUL, as a gzip stream has one.
// Whoever writes the rest may have failed since nobody reads it.
bool is_talk(std::string_view begin) { return begin.find('\n') < begin.find('\0'); }

}  // namespace

std::vector<std::string> tar_command(const RemoteTree& tree, bool is_compressed) {
  // Those of GNU and BSD tar.
  std::vector<std::string> words = {
      "tar", "-C", tree.directory.string(), "--format=pax", is_compressed ? "-czf" : "-cf", "-"};
  if (tree.has_exact_names) {
    words.insert(words.end(), {"--no-recursion", "--null", "-T", "-"});
  } else if (tree.names >= 0) {
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
  std::string begin;
  try {
    pump(pipe.read_end, decompressor ? *decompressor : reader, name, transfer, begin);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::corrupt) throw;
    failure = std::current_exception();
  }
  pipe.read_end = Fd();
  const int exit_code = tar.wait();
  throw_if_interrupted_too(exit_code, transfer.interrupt);
  if (failure && is_talk(begin)) {
    throw Error(ErrorKind::remote,
                fmt::format("cannot copy {}: what \"{}\" has printed is no tar archive: {}", name,
                            host.describe(), describe_beginning(begin)),
                host.silence_hint());
  }
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

namespace {

// What shells do not answer, nor the programs that are asked here: there is no connection, or it
// was cut, or a signal has ended the program.
bool is_cut_off(int exit_code) {
  constexpr int kFirstSignal = 128;
  return exit_code > kFirstSignal;
}

Error listing_failed(const Host& host, const fs::path& directory, const HostAnswer& answer) {
  return {
      ErrorKind::remote,
      fmt::format("cannot list \"{}\" of {}: \"{}\" ended with exit code {}{}", directory.string(),
                  host.title(), host.describe(), answer.exit_code, answer.reason()),
      host.next_step(answer.error)};
}

// Whether it is the GNU program: others have none of what is needed.
bool is_gnu(const Host& host, const std::string& program, const fs::path& directory,
            const Interrupt& interrupt) {
  const HostAnswer answer = host.run({program, "--version"}, interrupt);
  if (is_cut_off(answer.exit_code)) throw listing_failed(host, directory, answer);
  return answer.exit_code == 0 && answer.read_output().find("GNU ") != std::string::npos;
}

}  // namespace

std::optional<Fd> list_remote_files(const Host& host, const fs::path& directory,
                                    const Interrupt& interrupt) {
  constexpr std::string_view kForm = "%y %s %T@ %D:%i %P\\0";
  if (!is_gnu(host, "tar", directory, interrupt)) return std::nullopt;
  HostAnswer answer = host.run(
      {"find", directory.string(), "-mindepth", "1", "-printf", std::string(kForm)}, interrupt);
  if (answer.exit_code != 0) {
    if (is_cut_off(answer.exit_code) || is_gnu(host, "find", directory, interrupt)) {
      throw listing_failed(host, directory, answer);
    }
    return std::nullopt;
  }
  const std::string begin = read_beginning(answer.output);
  if (!begin.empty() && (begin.size() < 2 || begin[1] != ' ')) {
    throw Error(
        ErrorKind::remote,
        fmt::format("what {} has answered (\"{}\") is no list of the files of \"{}\": {}",
                    host.title(), host.describe(), directory.string(), describe_beginning(begin)),
        host.silence_hint());
  }
  return std::move(answer.output);
}

namespace {

RemoteFile::Type remote_type(std::string_view word) {
  if (word == "f") return RemoteFile::Type::file;
  if (word == "d") return RemoteFile::Type::directory;
  return word == "l" ? RemoteFile::Type::symlink : RemoteFile::Type::other;
}

// "f 8192 1795225758.0076063140 fe01:1234 data/PG_VERSION"
RemoteFile parse_remote_file(std::string_view text) {
  const auto take_word = [&] {
    const std::size_t blank = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, blank);
    text.remove_prefix(std::min(blank + 1, text.size()));
    return word;
  };
  RemoteFile file;
  const std::string_view type = take_word();
  const auto size = parse_integer(take_word());
  const std::string_view time = take_word();
  const auto seconds = parse_integer(time.substr(0, time.find('.')));
  file.inode = take_word();
  file.path = text;
  if (!size || *size < 0 || !seconds || !pipeline::is_safe_relative_path(file.path)) {
    throw Error(ErrorKind::corrupt, "what the other host says of its files is no list of files");
  }
  file.type = remote_type(type);
  file.size_bytes = static_cast<std::uint64_t>(*size);
  file.mtime = *seconds;
  return file;
}

}  // namespace

void visit_remote_files(const Fd& list, const RemoteFileVisitor& visitor) {
  std::vector<std::byte> buffer(kReadSize);
  std::string rest;
  std::uint64_t offset = 0;
  while (const std::size_t size = read_full_at(list, buffer, offset, "list of files")) {
    offset += size;
    rest += as_text(Bytes(buffer).first(size));
    std::size_t begin = 0;
    for (std::size_t end = rest.find('\0'); end != std::string::npos;
         end = rest.find('\0', begin)) {
      visitor(parse_remote_file(std::string_view(rest).substr(begin, end - begin)));
      begin = end + 1;
    }
    rest.erase(0, begin);
  }
  if (!rest.empty()) {
    throw Error(ErrorKind::corrupt, "what the other host says of its files is cut off");
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
