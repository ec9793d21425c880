// Directories of another host, reached through the user's ssh command: streams of tar members into
// `tar` there, as many at a time as the plan has workers; what is there already and right is not
// sent (remote_update.h). Nothing is staged, here or there, but the small files outside
// of PostgreSQL's own directories: they wait here until the configuration is reviewed, so that no
// directory there ever has the archive_command of the source.
#pragma once

#include <memory>

#include "host/host.h"
#include "restore/destination.h"
#include "restore/restore_request.h"

namespace barman::restore {

struct RemoteOptions {
  NetworkCompression compression = NetworkCompression::automatic;
};

// `host` lives longer. The plan's trees can be read one after the other: no chain is passed
// through.
std::unique_ptr<Destination> make_remote_destination(const RestorePlan& plan,
                                                     const host::Host& host,
                                                     const RemoteOptions& options,
                                                     const RestoreReporting& reporting,
                                                     const Interrupt& interrupt);

}  // namespace barman::restore
