// Sending: WAL files through put-wal, and continuously those that PostgreSQL will ask for next. A
// process in the background sends what waits in archive_status over ssh connections that it keeps
// open, and notes in the ArchivedAhead what is durable at the other side. It ends when nothing has
// waited for a while, or when something fails: PostgreSQL's own call tells that.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/fd.h"
#include "client/archived_ahead.h"
#include "client/put_stream.h"
#include "client/remote_barman.h"

namespace barman::client {

struct WalFile {
  std::filesystem::path path;
  Fd file;
};

// What became of one connection.
struct SentAhead {
  // Of ssh.
  int exit_code = 0;
  // Nobody read the stream any more.
  bool is_pipe_broken = false;
  // In order.
  std::vector<SentFile> files;
};

// Runs the remote put-wal. It accepts all files or none; none, too, when `is_valid` is false after
// they were read.
SentAhead send_wal_files(const RemoteBarman& barman, const PutOptions& options,
                         const std::vector<WalFile>& files, bool (*is_valid)(const WalFile&));

struct SendAheadRequest {
  RemoteBarman barman;
  PutOptions put;
  // Of the file that PostgreSQL has asked for, absolute, and its size.
  std::filesystem::path wal_path;
  std::uint64_t segment_size_bytes = 0;
  // How many files may be sent that PostgreSQL has not asked for.
  std::size_t limit = 1;
  // Of the ArchivedAhead.
  std::filesystem::path directory;
};

// Whether a process is sending for that directory.
bool is_sending_ahead(const std::filesystem::path& directory);
// Starts the process unless there is one, or nothing waits behind `wal_path`. Returns at once.
void start_sending_ahead(const SendAheadRequest& request);

}  // namespace barman::client
