// The WAL of a restore as members of tar archives, several at a time, decoded on the way:
// compressed and encrypted files, and those that are being archived meanwhile.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>

#include "base/interrupt.h"
#include "pipeline/tar_writer.h"
#include "restore/destination.h"
#include "restore/remote_digests.h"
#include "restore/restore_plan.h"
#include "restore/tar_streams.h"
#include "restore/wal_decoder.h"

namespace barman::restore {

// What a host has already of the files, by name.
struct WalThere {
  RemoteChecksum checksum = RemoteChecksum::sha256sum;
  std::map<std::string, std::uint64_t> digests;
};

class WalMembers {
 public:
  // Of what passes; called by several threads.
  using OnBytes = std::function<void(std::uint64_t size_bytes, const Interrupt& interrupt)>;

  // The plan lives longer.
  WalMembers(const WalPlan& plan, const ClusterModes& modes, const RestoreReporting& reporting,
             OnBytes on_bytes)
      : plan_(plan), modes_(modes), reporting_(reporting), on_bytes_(std::move(on_bytes)) {}

  // Segments that are there, and whole, are not sent.
  void leave_out(WalThere there) { there_ = std::move(there); }
  // The files, and their markers in archive_status, which is there. Each file takes the connection
  // that is free: recovery asks for them later. All of it is unpacked when it returns. Throws
  // `corrupt` for a segment that has not the size of one.
  void send(TarStreams& streams) const;

 private:
  void submit(TarStreams& streams, const WalFileCopy& file, bool is_partial) const;
  void submit_markers(TarStreams& streams) const;
  void send_file(TarStreams& streams, const WalFileCopy& file, bool is_partial,
                 const Interrupt& interrupt) const;
  void send_small(const WalFileCopy& file, const OpenedWal& opened,
                  const wal_archive::WalStoredForm& form, pipeline::TarWriter& archive,
                  const Interrupt& interrupt) const;
  bool is_there(const WalFileCopy& file, const OpenedWal& opened,
                const wal_archive::WalStoredForm& form, const Interrupt& interrupt) const;
  void note_passed(std::uint64_t size_bytes, const Interrupt& interrupt) const;
  pipeline::TarMember member(const std::string& name, std::uint64_t size_bytes) const;

  const WalPlan& plan_;
  const ClusterModes modes_;
  const RestoreReporting reporting_;
  const OnBytes on_bytes_;
  WalThere there_;
};

}  // namespace barman::restore
