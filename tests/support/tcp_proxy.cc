#include "support/tcp_proxy.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <deque>
#include <list>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/fd.h"

namespace barman::test {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kTurnMs = 2;
constexpr std::size_t kPieceBytes = 16 << 10;
// Of one direction; then the sender waits, as in a real network.
constexpr std::size_t kMaxPieces = 64;

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

Fd make_socket() {
  Fd result(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!result.is_open()) throw_errno("cannot create a socket");
  return result;
}

Fd listen_anywhere(int& port) {
  Fd listener = make_socket();
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  if (bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0 ||
      listen(listener.get(), SOMAXCONN) != 0 ||
      getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    throw_errno("cannot listen on 127.0.0.1");
  }
  port = ntohs(address.sin_port);
  return listener;
}

struct Piece {
  Clock::time_point due;
  std::vector<char> data;
  std::size_t sent_bytes = 0;
};

// One direction of a connection.
struct Direction {
  int from = -1;
  int to = -1;
  std::deque<Piece> pieces = {};
  bool is_at_end = false;
  bool is_end_passed = false;
};

struct Connection {
  Fd client;
  Fd server;
  Direction request;
  Direction answer;

  bool is_over() const { return request.is_end_passed && answer.is_end_passed; }
};

// The peer sees "connection reset" instead of an orderly end.
void reset(const Fd& socket) {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  setsockopt(socket.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

// Takes in what is there. Returns the number of bytes.
std::size_t take_in(Direction& direction, std::chrono::milliseconds delay) {
  std::size_t total = 0;
  std::array<char, kPieceBytes> buffer{};
  while (!direction.is_at_end && direction.pieces.size() < kMaxPieces) {
    const ssize_t size = recv(direction.from, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) break;
    if (size <= 0) {
      direction.is_at_end = true;
      break;
    }
    direction.pieces.push_back(
        {.due = Clock::now() + delay, .data = {buffer.data(), buffer.data() + size}});
    total += static_cast<std::size_t>(size);
  }
  return total;
}

void hand_out(Direction& direction) {
  while (!direction.pieces.empty() && direction.pieces.front().due <= Clock::now()) {
    Piece& piece = direction.pieces.front();
    const ssize_t size = send(direction.to, piece.data.data() + piece.sent_bytes,
                              piece.data.size() - piece.sent_bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (size < 0) {
      direction.is_at_end = true;
      direction.pieces.clear();
      break;
    }
    piece.sent_bytes += static_cast<std::size_t>(size);
    if (piece.sent_bytes == piece.data.size()) direction.pieces.pop_front();
  }
  if (direction.is_at_end && direction.pieces.empty() && !direction.is_end_passed) {
    shutdown(direction.to, SHUT_WR);
    direction.is_end_passed = true;
  }
}

}  // namespace

class TcpProxy::Connections {
 public:
  Connections(TcpProxy& proxy, Fd listener) : proxy_(proxy), listener_(std::move(listener)) {}

  void wait() {
    std::vector<pollfd> polled{{.fd = listener_.get(), .events = POLLIN, .revents = 0}};
    if (proxy_.mode_ == Mode::pass) {
      for (const Connection& connection : open_) {
        for (const Direction* direction : {&connection.request, &connection.answer}) {
          if (direction->is_at_end || direction->pieces.size() >= kMaxPieces) continue;
          polled.push_back({.fd = direction->from, .events = POLLIN, .revents = 0});
        }
      }
    }
    poll(polled.data(), polled.size(), kTurnMs);
  }

  void accept_new() {
    for (;;) {
      pollfd polled{.fd = listener_.get(), .events = POLLIN, .revents = 0};
      if (poll(&polled, 1, 0) <= 0) return;
      Fd client(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!client.is_open()) return;
      Fd server = make_socket();
      const sockaddr_in address = loopback(proxy_.target_port_);
      if (proxy_.mode_ == Mode::cut ||
          connect(server.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        reset(client);
        continue;
      }
      ++proxy_.connection_count_;
      const int from = client.get();
      const int to = server.get();
      open_.push_back({.client = std::move(client),
                       .server = std::move(server),
                       .request = {.from = from, .to = to},
                       .answer = {.from = to, .to = from}});
    }
  }

  void carry() {
    for (Connection& connection : open_) {
      take_in(connection.request, proxy_.delay_);
      proxy_.received_bytes_ += take_in(connection.answer, proxy_.delay_);
      if (proxy_.received_bytes_ >= proxy_.cut_at_) {
        proxy_.cut();
        return;
      }
      hand_out(connection.request);
      hand_out(connection.answer);
    }
    open_.remove_if([](const Connection& connection) { return connection.is_over(); });
  }

  void end_all() {
    for (const Connection& connection : open_) {
      reset(connection.client);
      reset(connection.server);
    }
    open_.clear();
  }

 private:
  TcpProxy& proxy_;
  Fd listener_;
  std::list<Connection> open_;
};

TcpProxy::TcpProxy(int target_port) : target_port_(target_port) {
  connections_ = std::make_unique<Connections>(*this, listen_anywhere(port_));
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

TcpProxy::~TcpProxy() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

std::string TcpProxy::conninfo(const std::string& user) const {
  return fmt::format("host=127.0.0.1 port={} user={} dbname=postgres", port_, user);
}

void TcpProxy::pass() {
  cut_at_ = UINT64_MAX;
  mode_ = Mode::pass;
}

void TcpProxy::cut() { mode_ = Mode::cut; }

void TcpProxy::cut_after(std::uint64_t bytes) { cut_at_ = received_bytes_ + bytes; }

void TcpProxy::stall() { mode_ = Mode::stall; }

void TcpProxy::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    connections_->wait();
    connections_->accept_new();
    if (mode_ == Mode::pass) connections_->carry();
    if (mode_ == Mode::cut) connections_->end_all();
  }
}

}  // namespace barman::test
