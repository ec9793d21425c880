// The directories of a restore on another host, made, marked and held: a session there that lives
// as long as the restore, so that no other restore writes into one of them (.barman-restore.pid in
// each), and that ends with its connection, whatever ends that. What a new cluster goes into must
// still be empty then.
//
// What the update of an existing directory begins with happens in it, too: global/pg_control goes,
// durably, after the markers are there.
#pragma once

#include <string>

#include "base/fd.h"
#include "base/interrupt.h"
#include "base/process.h"
#include "host/host.h"
#include "restore/restore_plan.h"

namespace barman::restore {

class RemoteGuard {
 public:
  // Throws `remote` with the reason when a directory cannot be made, `conflict` when another
  // restore holds it or has filled it meanwhile, or a server is being started on it; then nothing
  // was changed, though directories that were absent may be there.
  RemoteGuard(const host::Host& host, const RestorePlan& plan, const Interrupt& interrupt);
  RemoteGuard(const RemoteGuard&) = delete;
  RemoteGuard& operator=(const RemoteGuard&) = delete;
  ~RemoteGuard() = default;

  // There is a zstd(1) that can be started.
  bool has_zstd() const { return has_zstd_; }
  // Throws `remote` when the session has ended: another restore may have written there since.
  void require_held() const;
  // The restore is complete; nothing that fails here matters.
  void release(const Interrupt& interrupt);

 private:
  void wait_until_held(const host::Host& host, const Interrupt& interrupt);

  PipeEnds input_;
  PipeEnds output_;
  Fd errors_;
  std::string place_;
  ChildProcess session_;
  bool has_zstd_ = false;
};

}  // namespace barman::restore
