// An object store that misbehaves: an HTTP proxy on 127.0.0.1 in front of one, which answers in its
// place or spoils what passes. Signatures stay right, since nothing that is signed is touched.
//
//   StoreProxy proxy(server.port());
//   proxy.add({.method = "PUT", .kind = StoreProxy::Kind::answer_lost});
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/fd.h"

namespace barman::test {

class StoreProxy {
 public:
  enum class Kind {
    // The connection is reset before anything has been passed on.
    request_lost,
    // The store does what it is asked to, and the connection is reset then.
    answer_lost,
    // The store is not asked; `text` is the whole answer.
    answer,
    // The connection ends after `bytes` bytes of the body; its length is told as it was.
    cut,
    // `text` is changed into `other` in the head of the answer.
    change_head,
    // The same in its body.
    change_body,
    // Nothing comes, until the client gives up.
    stall,
    // The store is not asked; `text` comes, and then nothing more.
    stall_behind,
    // The store is not asked; `text` comes, and then a blank now and then, for ever.
    trickle,
  };
  struct Fault {
    std::string method = {};  // "" = any
    std::string target = {};  // a part of it
    unsigned skipped = 0;     // so many of these requests pass before
    unsigned times = 1;
    Kind kind = Kind::request_lost;
    std::string text = {};
    std::string other = {};
    std::size_t bytes = 0;
  };

  explicit StoreProxy(int target_port);
  StoreProxy(const StoreProxy&) = delete;
  StoreProxy& operator=(const StoreProxy&) = delete;
  ~StoreProxy();

  int port() const { return port_; }
  // "http://127.0.0.1:…"
  std::string endpoint() const;

  // What is done to the heads of requests and answers that pass. A request whose head becomes an
  // answer ("HTTP/1.1 …") is answered with it. Set before the first request.
  using Rewrite = std::function<std::string(const std::string& head)>;
  void rewrite(Rewrite request, Rewrite answer);

  void add(Fault fault);
  // Faults that have not happened yet are dropped, and what has been asked is forgotten.
  void reset();
  // "PUT /bucket/key?partNumber=1&…" of all requests so far.
  std::vector<std::string> requests() const;
  // Their bodies.
  std::vector<std::string> bodies() const;
  std::size_t count(const std::string& method, const std::string& target = "") const;
  // Of the answers to them, heads included.
  std::uint64_t answered_bytes() const { return answered_bytes_; }

  // An answer as S3 gives it about an error.
  static std::string error_answer(int status, const std::string& code,
                                  const std::string& more_headers = "",
                                  const std::string& more_elements = "");

 private:
  struct Client {
    Fd socket;
    std::jthread thread;
  };
  void accept_all();
  void serve(const Fd& client);
  bool serve_request(const Fd& client, const std::string& head, const std::string& body);
  std::string ask(const std::string& head, const std::string& body) const;
  Fault next_fault(const std::string& method, const std::string& target, bool& is_faulty);

  const int target_port_;
  int port_ = 0;
  Fd listener_;
  mutable std::mutex mutex_;
  std::list<Fault> faults_;
  std::vector<std::string> requests_;
  std::vector<std::string> bodies_;
  Rewrite rewrite_request_;
  Rewrite rewrite_answer_;
  std::list<Client> clients_;
  bool is_closing_ = false;
  std::atomic<std::uint64_t> answered_bytes_ = 0;
  std::jthread thread_;
};

}  // namespace barman::test
