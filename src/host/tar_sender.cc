#include "host/tar_sender.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include <fmt/format.h>

#include "base/anonymous_file.h"
#include "base/error.h"
#include "compression/codec.h"
#include "host/ended_child.h"

namespace barman::host {
namespace fs = std::filesystem;
namespace {

constexpr int kNoTimeout = -1;
// Also of the pipe: what an unprivileged process may have.
constexpr std::size_t kSendSize = std::size_t{1} << 20;

// Not every tar knows zstd. A shell tells only how the last program of a pipe has ended: those that
// have failed write it to descriptor 3. 141: nobody has read what zstd wrote, which is no reason.
// One line, without "!", for every login shell.
constexpr std::string_view kUnpackZstd =
    R"sh(codes=$({ { zstd -dcq || echo $? >&3; } | tar -xpof - -C "$1" || echo $? >&3; } 3>&1 1>&2); for code in $codes; do [ "$code" = 141 ] || exit "$code"; done; [ -z "$codes" ])sh";

// What can be read of it at once becomes the packets of ssh. sshd there, whose buffer grows by the
// size of a packet when tar is slower than ssh, copies all of it each time: many small packets cost
// it more than anything else. Only a hint.
void enlarge(const Fd& pipe) { ::fcntl(pipe.get(), F_SETPIPE_SZ, static_cast<int>(kSendSize)); }

}  // namespace

// What tar reads there. Small pieces wait until they are worth a packet.
class TarSender::Pipe final : public pipeline::Sink {
 public:
  Pipe(const Host& host, fs::path directory, const TarSending& options, const Interrupt& interrupt)
      : host_(host),
        directory_(std::move(directory)),
        interrupt_(interrupt),
        pipe_(make_pipe()),
        errors_(open_anonymous_file(fs::temp_directory_path())),
        nothing_(open_file("/dev/null", O_WRONLY)),
        tar_(start(options)) {
    pipe_.read_end = Fd();
    enlarge(pipe_.write_end);
    if (::fcntl(pipe_.write_end.get(), F_SETFL, O_NONBLOCK) != 0) {
      throw_errno("cannot prepare a pipe");
    }
  }

  void write(Bytes data) override {
    while (!data.empty()) {
      if (gathered_.empty() && data.size() >= kSendSize) {
        const Bytes whole = data.first(data.size() - data.size() % kSendSize);
        send(whole);
        data = data.subspan(whole.size());
        continue;
      }
      const Bytes part = data.first(std::min(data.size(), kSendSize - gathered_.size()));
      gathered_.insert(gathered_.end(), part.begin(), part.end());
      data = data.subspan(part.size());
      if (gathered_.size() == kSendSize) send_gathered();
    }
  }

  void finish() override {
    send_gathered();
    pipe_.write_end = Fd();
    const std::optional<int> exit_code = tar_.wait_unless_interrupted(interrupt_);
    if (!exit_code) interrupt_.throw_if_requested();
    if (exit_code != 0) fail(exit_code.value_or(-1));
  }

 private:
  ChildProcess start(const TarSending& options) const {
    const std::vector<std::string> command = untar_command(directory_, options.compression);
    const ChildProcess::Streams streams = {
        .input = pipe_.read_end.get(), .output = nothing_.get(), .error = errors_.get()};
    return options.is_short ? host_.start_call(command, streams) : host_.start(command, streams);
  }

  void send_gathered() {
    send(gathered_);
    gathered_.clear();
  }

  void send(Bytes data) {
    while (!data.empty()) {
      if (wait_for_fd(pipe_.write_end.get(), WaitFor::writable, kNoTimeout, interrupt_) ==
          WaitResult::interrupted) {
        interrupt_.throw_if_requested();
      }
      const ssize_t count = ::write(pipe_.write_end.get(), data.data(), data.size());
      if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
      if (count < 0 && errno == EPIPE) end();
      if (count < 0) throw_errno("cannot send to " + host_.title());
      data = data.subspan(static_cast<std::size_t>(count));
    }
  }

  // Nobody reads any more.
  [[noreturn]] void end() {
    pipe_.write_end = Fd();
    fail(tar_.wait());
  }

  [[noreturn]] void fail(int exit_code) const {
    throw_if_interrupted_too(exit_code, interrupt_);
    const std::string text = read_error_text(errors_);
    throw Error(ErrorKind::remote,
                fmt::format("cannot write \"{}\" of {}: \"{}\" ended with exit code {}{}",
                            directory_.string(), host_.title(), host_.describe(), exit_code,
                            text.empty() ? "" : ": " + text),
                host_.next_step(text));
  }

  const Host& host_;
  const fs::path directory_;
  const Interrupt interrupt_;
  PipeEnds pipe_;
  std::vector<std::byte> gathered_;
  const Fd errors_;
  const Fd nothing_;
  ChildProcess tar_;
};

TarSender::TarSender(const Host& host, fs::path directory, const TarSending& options,
                     const Interrupt& interrupt)
    : pipe_(std::make_unique<Pipe>(host, std::move(directory), options, interrupt)) {
  if (options.compression) {
    compressor_ = compression::make_compressor(
        *options.compression, compression::resolve_level(*options.compression, "low"), *pipe_);
  }
  archive_ = std::make_unique<pipeline::TarWriter>(compressor_ ? *compressor_ : *pipe_);
}

TarSender::~TarSender() = default;

void TarSender::finish() { archive_->finish(); }

std::vector<std::string> untar_command(const fs::path& directory,
                                       std::optional<compression::Algorithm> compression) {
  if (compression == compression::Algorithm::zstd) {
    return {"sh", "-c", std::string(kUnpackZstd), "barman", directory.string()};
  }
  // -o: the user there owns what arrives; -p: modes are those of the archive, whatever the umask.
  const bool is_gzip = compression == compression::Algorithm::gzip;
  return {"tar", is_gzip ? "-xzpof" : "-xpof", "-", "-C", directory.string()};
}

}  // namespace barman::host
