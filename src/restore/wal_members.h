// The WAL of a restore as members of a tar archive, decoded on the way: compressed and encrypted
// files, and those that are being archived meanwhile.
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
#include "restore/wal_decoder.h"

namespace barman::restore {

// What a host has already of the files, by name.
struct WalThere {
  RemoteChecksum checksum = RemoteChecksum::sha256sum;
  std::map<std::string, std::uint64_t> digests;
};

class WalMembers {
 public:
  using OnBytes = std::function<void(std::uint64_t size_bytes)>;

  // All of it lives longer.
  WalMembers(const WalPlan& plan, const ClusterModes& modes, pipeline::TarWriter& archive,
             const RestoreReporting& reporting, const Interrupt& interrupt)
      : plan_(plan),
        modes_(modes),
        archive_(archive),
        reporting_(reporting),
        interrupt_(interrupt) {}

  // Segments that are there, and whole, are not sent.
  void leave_out(WalThere there) { there_ = std::move(there); }
  // The files, archive_status and its markers. Throws `corrupt` for a segment that has not the size
  // of one.
  void send(const OnBytes& on_bytes);

 private:
  void send_files(const OnBytes& on_bytes);
  void send_file(const WalFileCopy& file, const OpenedWal& opened, bool is_partial,
                 const OnBytes& on_bytes);
  bool is_there(const WalFileCopy& file, const OpenedWal& opened,
                const wal_archive::WalStoredForm& form) const;
  void add_empty(const std::string& name);
  pipeline::TarMember member(const std::string& name, std::uint64_t size_bytes) const;

  const WalPlan& plan_;
  const ClusterModes modes_;
  pipeline::TarWriter& archive_;
  const RestoreReporting reporting_;
  const Interrupt& interrupt_;
  WalThere there_;
};

}  // namespace barman::restore
