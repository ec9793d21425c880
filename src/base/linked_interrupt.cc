#include "base/linked_interrupt.h"

#include <sys/eventfd.h>

#include "base/error.h"

namespace barman {
namespace {

Fd make_event() {
  Fd event(::eventfd(0, EFD_CLOEXEC));
  if (event.get() < 0) throw_errno("cannot create an eventfd");
  return event;
}

}  // namespace

LinkedInterrupt::LinkedInterrupt(const Interrupt& outer)
    : event_(make_event()), outer_(outer.token(), [this, outer] {
        signal_ = outer.signal();
        request();
      }) {}

void LinkedInterrupt::request() {
  stop_.request_stop();
  ::eventfd_write(event_.get(), 1);
}

}  // namespace barman
