#include "support/store_proxy.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/text.h"

namespace barman::test {
namespace {

constexpr std::string_view kHeadEnd = "\r\n\r\n";

sockaddr_in proxy_address(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

Fd proxy_socket() {
  Fd result(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!result.is_open()) throw_errno("cannot create a socket");
  return result;
}

bool send_all(const Fd& to, std::string_view data) {
  while (!data.empty()) {
    const ssize_t size = send(to.get(), data.data(), data.size(), MSG_NOSIGNAL);
    if (size <= 0) return false;
    data.remove_prefix(static_cast<std::size_t>(size));
  }
  return true;
}

// False at the end of the stream.
bool receive_more(const Fd& from, std::string& data) {
  std::array<char, 65536> buffer{};
  const ssize_t size = recv(from.get(), buffer.data(), buffer.size(), 0);
  if (size <= 0) return false;
  data.append(buffer.data(), static_cast<std::size_t>(size));
  return true;
}

std::size_t body_size(const std::string& head) {
  const std::string lower = to_lower(head);
  const std::string name = "\r\ncontent-length:";
  const std::size_t at = lower.find(name);
  if (at == std::string::npos) return 0;
  const std::size_t begin = at + name.size();
  return static_cast<std::size_t>(
      parse_integer(strip(lower.substr(begin, lower.find("\r\n", begin) - begin))).value_or(0));
}

void reset_peer(const Fd& client) {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  setsockopt(client.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

// The whole answer of the store, which closes the connection behind it.
std::string ask_store(int port, const std::string& head, const std::string& body) {
  const Fd store = proxy_socket();
  const sockaddr_in address = proxy_address(port);
  std::string answer;
  if (connect(store.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return answer;
  }
  const std::string closing = head.substr(0, head.size() - 2) + "Connection: close\r\n\r\n";
  if (!send_all(store, closing) || !send_all(store, body)) return answer;
  while (receive_more(store, answer)) {
  }
  return answer;
}

}  // namespace

StoreProxy::StoreProxy(int target_port) : target_port_(target_port), listener_(proxy_socket()) {
  sockaddr_in address = proxy_address(0);
  socklen_t size = sizeof address;
  if (bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0 ||
      listen(listener_.get(), SOMAXCONN) != 0 ||
      getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    throw_errno("cannot listen on 127.0.0.1");
  }
  port_ = ntohs(address.sin_port);
  thread_ = std::jthread([this] { accept_all(); });
}

StoreProxy::~StoreProxy() {
  {
    const std::lock_guard lock(mutex_);
    is_closing_ = true;
    shutdown(listener_.get(), SHUT_RDWR);
    for (const Client& client : clients_) shutdown(client.socket.get(), SHUT_RDWR);
  }
  thread_.join();
  clients_.clear();
}

std::string StoreProxy::endpoint() const { return fmt::format("http://127.0.0.1:{}", port_); }

void StoreProxy::add(Fault fault) {
  const std::lock_guard lock(mutex_);
  faults_.push_back(std::move(fault));
}

void StoreProxy::reset() {
  const std::lock_guard lock(mutex_);
  faults_.clear();
  requests_.clear();
  bodies_.clear();
  answered_bytes_ = 0;
}

std::vector<std::string> StoreProxy::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

std::vector<std::string> StoreProxy::bodies() const {
  const std::lock_guard lock(mutex_);
  return bodies_;
}

void StoreProxy::rewrite(Rewrite request, Rewrite answer) {
  rewrite_request_ = std::move(request);
  rewrite_answer_ = std::move(answer);
}

std::string StoreProxy::ask(const std::string& head, const std::string& body) const {
  const std::string answer = ask_store(target_port_, head, body);
  if (!rewrite_answer_) return answer;
  const std::size_t end = answer.find(kHeadEnd);
  if (end == std::string::npos) return answer;
  return rewrite_answer_(answer.substr(0, end)) + answer.substr(end);
}

std::size_t StoreProxy::count(const std::string& method, const std::string& target) const {
  const std::vector<std::string> all = requests();
  return static_cast<std::size_t>(std::ranges::count_if(all, [&](const std::string& request) {
    return request.starts_with(method + " ") && request.find(target) != std::string::npos;
  }));
}

std::string StoreProxy::error_answer(int status, const std::string& code,
                                     const std::string& more_headers,
                                     const std::string& more_elements) {
  const std::string body = fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{}</Code><Message>as the test wants "
      "it</Message>{}<RequestId>test-request</RequestId></Error>",
      code, more_elements);
  return fmt::format(
      "HTTP/1.1 {} Answer\r\nContent-Type: application/xml\r\n{}Content-Length: {}\r\n\r\n{}",
      status, more_headers, body.size(), body);
}

void StoreProxy::accept_all() {
  for (;;) {
    Fd socket(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    const std::lock_guard lock(mutex_);
    if (is_closing_ || !socket.is_open()) return;
    Client& client = clients_.emplace_back();
    client.socket = std::move(socket);
    client.thread = std::jthread([this, &client] {
      serve(client.socket);
      const std::lock_guard closing(mutex_);
      client.socket = Fd();
    });
  }
}

void StoreProxy::serve(const Fd& client) {
  std::string data;
  for (;;) {
    std::size_t end = data.find(kHeadEnd);
    while (end == std::string::npos) {
      if (!receive_more(client, data)) return;
      end = data.find(kHeadEnd);
    }
    const std::string head = data.substr(0, end + kHeadEnd.size());
    const std::size_t size = body_size(head);
    data.erase(0, head.size());
    while (data.size() < size) {
      if (!receive_more(client, data)) return;
    }
    const std::string body = data.substr(0, size);
    data.erase(0, size);
    if (!serve_request(client, head, body)) return;
  }
}

StoreProxy::Fault StoreProxy::next_fault(const std::string& method, const std::string& target,
                                         bool& is_faulty) {
  const std::lock_guard lock(mutex_);
  requests_.push_back(method + " " + target);
  for (auto fault = faults_.begin(); fault != faults_.end(); ++fault) {
    if (!fault->method.empty() && fault->method != method) continue;
    if (target.find(fault->target) == std::string::npos) continue;
    if (fault->skipped > 0) {
      --fault->skipped;
      continue;
    }
    is_faulty = true;
    Fault found = *fault;
    if (--fault->times == 0) faults_.erase(fault);
    return found;
  }
  return {};
}

// False when the connection is over.
bool StoreProxy::serve_request(const Fd& client, const std::string& head, const std::string& body) {
  const std::vector<std::string> words = split_blanks(head.substr(0, head.find("\r\n")));
  if (words.size() < 2) return false;
  bool is_faulty = false;
  const Fault fault = next_fault(words[0], words[1], is_faulty);
  {
    const std::lock_guard lock(mutex_);
    bodies_.push_back(body);
  }
  if (is_faulty && (fault.kind == Kind::stall_behind || fault.kind == Kind::trickle)) {
    send_all(client, fault.text);
  }
  if (is_faulty && fault.kind == Kind::trickle) {
    while (send_all(client, " ")) {
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    return false;
  }
  if (is_faulty && (fault.kind == Kind::stall || fault.kind == Kind::stall_behind)) {
    // The client, or the end of the test, ends it.
    std::string ignored;
    while (receive_more(client, ignored)) {
    }
    return false;
  }
  if (is_faulty && fault.kind == Kind::request_lost) {
    reset_peer(client);
    return false;
  }
  if (is_faulty && fault.kind == Kind::answer) {
    return send_all(client, fault.text);
  }
  const std::string rewritten = rewrite_request_ ? rewrite_request_(head) : head;
  const bool is_answer = rewritten.starts_with("HTTP/");
  if (is_answer && !is_faulty) {
    answered_bytes_ += rewritten.size();
    // The connection goes on where its end is not that of the body.
    return send_all(client, rewritten) &&
           rewritten.find("\r\nContent-Length:") < rewritten.find(kHeadEnd);
  }
  std::string answer = is_answer ? rewritten : ask(rewritten, body);
  if (is_faulty && fault.kind == Kind::answer_lost) {
    reset_peer(client);
    return false;
  }
  const std::size_t head_end = answer.find(kHeadEnd);
  if (head_end == std::string::npos) return false;
  if (is_faulty && fault.kind == Kind::change_head) {
    answer =
        replace_all(answer.substr(0, head_end), fault.text, fault.other) + answer.substr(head_end);
  }
  if (is_faulty && fault.kind == Kind::change_body) {
    answer =
        answer.substr(0, head_end) + replace_all(answer.substr(head_end), fault.text, fault.other);
  }
  if (is_faulty && fault.kind == Kind::cut) {
    answer.resize(std::min(answer.size(), head_end + kHeadEnd.size() + fault.bytes));
  }
  answered_bytes_ += answer.size();
  send_all(client, answer);
  return false;
}

}  // namespace barman::test
