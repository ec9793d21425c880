#include "encryption/gpg_filter.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/worker_pool.h"

namespace barman::encryption {
namespace {

constexpr std::size_t kChunkBytes = std::size_t{256} << 10;
constexpr int kPipeBytes = 1 << 20;

struct Sockets {
  Fd ours;
  Fd theirs;
};

Sockets make_sockets() {
  std::array<int, 2> fds = {};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()) != 0) {
    throw_errno("cannot create a socket for gpg");
  }
  return {Fd(fds[0]), Fd(fds[1])};
}

// A pipe with the passphrase in it: gpg reads one line.
Fd make_passphrase_pipe(const Passphrase& passphrase) {
  PipeEnds pipe = make_pipe();
  write_full(pipe.write_end, as_bytes(passphrase.text()), "a pipe to gpg");
  write_full(pipe.write_end, as_bytes("\n"), "a pipe to gpg");
  return std::move(pipe.read_end);
}

// What is there now; 0 at the end.
std::size_t read_some(const Fd& fd, MutableBytes buffer) {
  for (;;) {
    const ssize_t count = ::read(fd.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_errno("cannot read what gpg says");
    return static_cast<std::size_t>(count);
  }
}

}  // namespace

GpgFilter::GpgFilter(GpgJob job, pipeline::Sink& next) : job_(std::move(job)), next_(next) {
  gathered_.reserve(kChunkBytes);
  start();
  worker_ = start_thread([this] { read_all(); });
}

GpgFilter::~GpgFilter() {
  is_given_up_ = true;
  end_worker();
  ::explicit_bzero(gathered_.data(), gathered_.size());
}

std::vector<std::string> GpgFilter::arguments(int status, int passphrase) const {
  // Keys are those of the keyring; nobody looks for others in the network.
  std::vector<std::string> argv = {"gpg",         "--batch",
                                   "--no-tty",    "--yes",
                                   "--no-armor",  "--disable-dirmngr",
                                   "--status-fd", std::to_string(status),
                                   "--output",    "-"};
  if (job_.direction == GpgJob::Direction::encrypt) {
    argv.insert(argv.end(), {"--no-auto-key-locate", "--compress-algo", "none", "--recipient",
                             job_.recipient, "--encrypt"});
  } else {
    argv.insert(argv.end(), {"--pinentry-mode", "loopback", "--passphrase-fd",
                             std::to_string(passphrase), "--decrypt"});
  }
  return argv;
}

void GpgFilter::start() {
  Sockets input = make_sockets();
  PipeEnds output = make_pipe();
  PipeEnds status = make_pipe();
  PipeEnds log = make_pipe();
  ::fcntl(output.read_end.get(), F_SETPIPE_SZ, kPipeBytes);
  std::vector<int> inherited = {status.write_end.get()};
  Fd passphrase;
  if (job_.direction == GpgJob::Direction::decrypt) {
    passphrase = make_passphrase_pipe(job_.passphrase->passphrase());
    inherited.push_back(passphrase.get());
  }
  // Where there is no gpg the user is told what to do.
  try {
    gpg_.emplace(arguments(status.write_end.get(), passphrase.get()),
                 ChildProcess::Streams{.input = input.theirs.get(),
                                       .output = output.write_end.get(),
                                       .error = log.write_end.get(),
                                       .inherited = inherited});
  } catch (const SystemError& error) {
    if (error.error_number() != ENOENT && error.error_number() != EACCES) throw;
    throw Error(ErrorKind::config, "GnuPG cannot be used: " + error.message(),
                "Install gpg and gpg-agent.");
  }
  input_ = std::move(input.ours);
  output_ = std::move(output.read_end);
  status_ = std::move(status.read_end);
  log_ = std::move(log.read_end);
}

void GpgFilter::write(Bytes data) {
  while (!data.empty()) {
    const Bytes part = data.first(std::min(data.size(), kChunkBytes - gathered_.size()));
    gathered_.insert(gathered_.end(), part.begin(), part.end());
    data = data.subspan(part.size());
    if (gathered_.size() == kChunkBytes) send_gathered();
  }
}

void GpgFilter::send_gathered() {
  for (std::size_t done = 0; done < gathered_.size();) {
    const ssize_t count =
        ::send(input_.get(), gathered_.data() + done, gathered_.size() - done, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      is_input_refused_ = true;
      end_worker();
      return require_success();
    }
    done += static_cast<std::size_t>(count);
  }
  taken_bytes_ += gathered_.size();
  gathered_.clear();
}

void GpgFilter::finish() {
  send_gathered();
  if (::shutdown(input_.get(), SHUT_WR) != 0) is_input_refused_ = true;
  end_worker();
  require_success();
  next_.finish();
}

void GpgFilter::end_worker() {
  if (!worker_.joinable()) return;
  // Ended already when it refused its input; else this is the end of the data.
  if (input_.is_open()) ::shutdown(input_.get(), SHUT_WR);
  worker_.join();
  // gpg has closed its end: with something in it that was not read, this is an error.
  int error = 0;
  socklen_t size = sizeof error;
  is_input_refused_ |=
      ::getsockopt(input_.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0;
  input_ = Fd();
}

void GpgFilter::read_all() {
  // Rethrown in the caller's thread.
  try {
    std::vector<std::byte> buffer(kChunkBytes);
    while (output_.is_open() || status_.is_open() || log_.is_open()) {
      std::array<pollfd, 3> fds = {pollfd{output_.get(), POLLIN, 0},
                                   pollfd{status_.get(), POLLIN, 0}, pollfd{log_.get(), POLLIN, 0}};
      if (::poll(fds.data(), fds.size(), -1) < 0) {
        if (errno == EINTR) continue;
        throw_errno("cannot wait for gpg");
      }
      const std::array<Fd*, 3> owners = {&output_, &status_, &log_};
      for (std::size_t i = 0; i < fds.size(); ++i) {
        if (fds[i].revents == 0) continue;
        const std::size_t size = read_some(*owners[i], buffer);
        const Bytes data = Bytes(buffer).first(size);
        if (size == 0) {
          *owners[i] = Fd();
        } else if (i == 0) {
          hand_on(data);
        } else if (i == 1) {
          report_.add_status(as_text(data));
        } else {
          report_.add_messages(as_text(data));
        }
      }
    }
    ::explicit_bzero(buffer.data(), buffer.size());
  } catch (...) {
    failure_ = std::current_exception();
  }
  // Nobody reads any more: a gpg that still writes ends by that.
  output_ = Fd();
  status_ = Fd();
  log_ = Fd();
  try {
    report_.set_exit_code(gpg_->wait());
  } catch (...) {
    if (!failure_) failure_ = std::current_exception();
  }
}

void GpgFilter::hand_on(Bytes data) {
  given_bytes_ += data.size();
  if (!is_given_up_) next_.write(data);
}

void GpgFilter::require_success() const {
  if (failure_) std::rethrow_exception(failure_);
  const bool is_encrypting = job_.direction == GpgJob::Direction::encrypt;
  if (is_encrypting && !report_.has_encrypted()) {
    throw report_.encryption_error(job_.object_name, job_.recipient);
  }
  if (!is_encrypting && !report_.has_decrypted()) {
    throw report_.decryption_error(job_.object_name);
  }
  // It does not compress, so a message is larger than its content.
  const bool is_short = is_encrypting && given_bytes_ < taken_bytes_;
  if (!is_short && !is_input_refused_) return;
  throw Error(is_encrypting ? ErrorKind::io : ErrorKind::corrupt,
              fmt::format("cannot {} \"{}\": gpg says that it is done, but it {}",
                          is_encrypting ? "encrypt" : "decrypt", job_.object_name,
                          is_input_refused_ ? std::string("did not read all that it was given")
                                            : fmt::format("gave out {} bytes for {}", given_bytes_,
                                                          taken_bytes_)),
              is_encrypting ? "Look whether the gpg in PATH is the one of GnuPG, and try again."
                            : "Put an intact copy of the file in its place.");
}

}  // namespace barman::encryption
