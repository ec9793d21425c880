// WAL on its way into a checker, as the last filter of a chain. Internal to verify/.
#pragma once

#include "base/interrupt.h"
#include "pipeline/sink.h"
#include "wal/record_checker.h"

namespace barman::verify {

class CheckerSink final : public pipeline::Sink {
 public:
  CheckerSink(wal::RecordChecker& checker, const Interrupt& interrupt)
      : checker_(checker), interrupt_(interrupt) {}
  void write(Bytes data) override {
    interrupt_.throw_if_requested();
    checker_.write(data);
  }
  void finish() override {}

 private:
  wal::RecordChecker& checker_;
  const Interrupt& interrupt_;
};

}  // namespace barman::verify
