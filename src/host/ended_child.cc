#include "host/ended_child.h"

#include <csignal>

namespace barman::host {
namespace {

// As shells and ssh say it of a program that a signal has ended.
constexpr int kEndedBySigint = 128 + SIGINT;
constexpr int kPatienceMs = 1000;

}  // namespace

void throw_if_interrupted_too(int exit_code, const Interrupt& interrupt) {
  if (exit_code == 0) return;
  if (exit_code == kEndedBySigint && interrupt.fd() >= 0) {
    sleep_unless_interrupted(kPatienceMs, interrupt);
  }
  interrupt.throw_if_requested();
}

}  // namespace barman::host
