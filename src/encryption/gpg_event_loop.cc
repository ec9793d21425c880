#include "encryption/gpg_event_loop.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "base/error.h"

namespace barman::encryption {

void GpgEventLoop::attach(gpgme_ctx_t context) {
  gpgme_io_cbs callbacks = {
      .add = add, .add_priv = this, .remove = remove, .event = take_event, .event_priv = this};
  ::gpgme_set_io_cbs(context, &callbacks);
}

gpgme_error_t GpgEventLoop::add(void* loop, int fd, int direction, gpgme_io_cb_t handler,
                                void* handler_data, void** tag) {
  auto* const self = static_cast<GpgEventLoop*>(loop);
  *tag = &self->watches_.emplace_back(Watch{.loop = self,
                                            .fd = fd,
                                            .is_for_reading = direction == 1,
                                            .handler = handler,
                                            .handler_data = handler_data});
  return 0;
}

void GpgEventLoop::remove(void* tag) {
  const auto* const gone = static_cast<const Watch*>(tag);
  gone->loop->watches_.remove_if([gone](const Watch& watch) { return &watch == gone; });
}

void GpgEventLoop::take_event(void* loop, gpgme_event_io_t event, void* data) {
  if (event != GPGME_EVENT_DONE) return;
  const auto* const done = static_cast<const gpgme_io_event_done_data*>(data);
  static_cast<GpgEventLoop*>(loop)->result_ = done->err != 0 ? done->err : done->op_err;
}

void GpgEventLoop::handle(const Watch* ready) {
  const auto found = std::find_if(watches_.begin(), watches_.end(),
                                  [ready](const Watch& watch) { return &watch == ready; });
  if (found != watches_.end()) found->handler(found->handler_data, found->fd);
}

gpgme_error_t GpgEventLoop::run() {
  while (!result_) {
    if (watches_.empty()) return ::gpgme_error(GPG_ERR_EOF);
    std::vector<pollfd> fds;
    std::vector<const Watch*> polled;
    for (const Watch& watch : watches_) {
      const short events = watch.is_for_reading ? POLLIN : POLLOUT;
      fds.push_back({.fd = watch.fd, .events = events, .revents = 0});
      polled.push_back(&watch);
    }
    if (::poll(fds.data(), fds.size(), -1) < 0) {
      if (errno == EINTR) continue;
      throw_errno("cannot wait for gpg");
    }
    for (std::size_t i = 0; i < fds.size() && !result_; ++i) {
      // An error too: the handler finds out which.
      if (fds[i].revents != 0) handle(polled[i]);
    }
  }
  return *result_;
}

}  // namespace barman::encryption
