// A network that a test can break: a TCP proxy on 127.0.0.1 in front of a port of this machine.
//
//   TcpProxy network(postgres.port());
//   barman.add_streaming_server("main", postgres, {{"streaming_conninfo", network.conninfo(…)}});
//   network.cut_after(1 << 20);  // in the middle of what follows
//   network.pass();              // repaired
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>

namespace barman::test {

class TcpProxy {
 public:
  explicit TcpProxy(int target_port);
  TcpProxy(const TcpProxy&) = delete;
  TcpProxy& operator=(const TcpProxy&) = delete;
  ~TcpProxy();

  int port() const { return port_; }
  // "host=127.0.0.1 port=… user=… dbname=postgres" through this proxy.
  std::string conninfo(const std::string& user) const;

  // Connections work, old ones (after a stall) and new ones.
  void pass();
  // Ends all connections by RST, and each new one at once, until pass().
  void cut();
  // Does so as soon as the server has sent `bytes` more.
  void cut_after(std::uint64_t bytes);
  // Connections stay, and carry nothing.
  void stall();
  // Each piece arrives so much later.
  void set_delay(std::chrono::milliseconds delay) { delay_ = delay; }

  // What the server has sent.
  std::uint64_t received_bytes() const { return received_bytes_; }
  std::uint64_t connection_count() const { return connection_count_; }
  bool is_cut() const { return mode_ == Mode::cut; }

 private:
  enum class Mode { pass, cut, stall };
  class Connections;
  void run(const std::stop_token& stop);

  int target_port_;
  int port_ = 0;
  std::atomic<Mode> mode_ = Mode::pass;
  std::atomic<std::uint64_t> cut_at_ = UINT64_MAX;
  std::atomic<std::chrono::milliseconds> delay_ = std::chrono::milliseconds(0);
  std::atomic<std::uint64_t> received_bytes_ = 0;
  std::atomic<std::uint64_t> connection_count_ = 0;
  std::unique_ptr<Connections> connections_;
  std::jthread thread_;
};

}  // namespace barman::test
