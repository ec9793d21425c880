// The event loop of one operation of gpgme (its manual, "Using External Event Loops"). gpgme's own
// one never ends when gpg is killed while its input pipe is full: it does not take a descriptor
// with nothing but an error (POLLERR) for one that is ready.
#pragma once

#include <gpgme.h>

#include <list>
#include <optional>

namespace barman::encryption {

class GpgEventLoop {
 public:
  GpgEventLoop() = default;
  GpgEventLoop(const GpgEventLoop&) = delete;
  GpgEventLoop& operator=(const GpgEventLoop&) = delete;

  // Before the operation is started. The loop lives longer than the context.
  void attach(gpgme_ctx_t context);
  // Until the operation is over; its result. Throws when it cannot wait.
  gpgme_error_t run();

 private:
  struct Watch {
    GpgEventLoop* loop;
    int fd;
    bool is_for_reading;
    gpgme_io_cb_t handler;
    void* handler_data;
  };

  static gpgme_error_t add(void* loop, int fd, int direction, gpgme_io_cb_t handler,
                           void* handler_data, void** tag);
  static void remove(void* tag);
  static void take_event(void* loop, gpgme_event_io_t event, void* data);
  void handle(const Watch* ready);

  // gpgme removes what it likes while one of them is handled.
  std::list<Watch> watches_;
  std::optional<gpgme_error_t> result_;
};

}  // namespace barman::encryption
