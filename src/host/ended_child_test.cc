#include "host/ended_child.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/test_interrupt.h"

namespace barman::host {
namespace {

TEST(EndedChild, IsAskedForTheInterruptThatHasEndedIt) {
  TestInterrupt interrupt;
  throw_if_interrupted_too(0, interrupt.get());
  throw_if_interrupted_too(1, interrupt.get());
  throw_if_interrupted_too(130, interrupt.get());
  throw_if_interrupted_too(130, Interrupt());
  interrupt.request();
  throw_if_interrupted_too(0, interrupt.get());
  for (const int code : {1, 130, 255}) {
    try {
      throw_if_interrupted_too(code, interrupt.get());
      ADD_FAILURE() << code;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::interrupted);
    }
  }
}

}  // namespace
}  // namespace barman::host
