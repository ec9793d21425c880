// What b2sum(1) prints: BLAKE2b of 512 bits, as strong as SHA-2 and several times as fast without
// instructions of its own.
#pragma once

#include <memory>
#include <string>

#include "base/fd.h"

namespace barman {

class Blake2b {
 public:
  Blake2b();
  Blake2b(const Blake2b&) = delete;
  Blake2b& operator=(const Blake2b&) = delete;
  ~Blake2b();

  void update(Bytes data);
  // Lower-case hex. Called once.
  std::string finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace barman
