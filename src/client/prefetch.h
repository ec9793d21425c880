// Fetching: one WAL file, and continuously those that PostgreSQL will ask for next. While it
// replays a segment, a process in the background fills the spool with the following ones, over one
// ssh connection that is kept open. It ends when nothing follows, or when nobody takes what is
// there.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "client/remote_barman.h"
#include "client/spool.h"

namespace barman::client {

// What came is a segment of another cluster than the one that asks.
class OtherCluster final : public Error {
 public:
  using Error::Error;
};

// Runs the remote get-wal and writes what it sends to `target`, decompressed if it begins like one
// of the known formats. Returns what ssh exits with. Throws `corrupt` for damaged data and for
// what cannot be the file that was asked for, OtherCluster, SystemError for `target`. What ssh and
// the barman there say goes to `error_output`, -1 = ours.
int fetch_wal(const RemoteBarman& barman, const GetWalRequest& request, const Fd& target,
              const std::filesystem::path& target_path, int error_output = -1);

struct PrefetchRequest {
  RemoteBarman barman;
  std::vector<std::string> compression_options;
  std::optional<std::uint64_t> system_id{};
  // How many files may lie in the spool.
  std::size_t limit = 1;
};

// Whether a process fetches into the spool now.
bool is_prefetching(const Spool& spool);
// Starts the process unless there is one; it begins behind `wal_name`. Returns at once. What goes
// wrong in it is kept in the spool for the next call; PostgreSQL asks for the file itself.
void start_prefetching(const Spool& spool, const PrefetchRequest& request,
                       const std::string& wal_name);

}  // namespace barman::client
