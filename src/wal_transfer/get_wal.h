// One WAL file out of the archive, or out of what was received and is not archived yet. Called for
// each segment of a recovery: opens no connection, lists nothing.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "base/progress.h"
#include "catalogue/catalogue.h"
#include "server/server.h"
#include "wal_archive/wal_coding.h"

namespace barman::wal_transfer {

enum class PartialWal { ignore, accept };

// What the receiver gets. Encrypted files are decrypted in any case. A partial file that is shorter
// than its segment is filled up with zeroes, and an empty one counts as missing.
enum class WalForm { plain, as_stored, gzip, bzip2, zstd, lz4 };

struct WalRequest {
  std::string wal_name;
  PartialWal partial_files = PartialWal::ignore;
  WalForm form = WalForm::plain;
};

// A request that cannot be answered whatever is archived (exit code 3).
class BadWalRequest final : public Error {
 public:
  using Error::Error;
};

// It is in none of the places: the answer that PostgreSQL takes for the end of the WAL. Whatever
// else is missing is an error of another type.
class WalNotFound final : public Error {
 public:
  using Error::Error;
};

// The places where the file is looked for, in order.
std::vector<std::filesystem::path> wal_search_places(const catalogue::CatalogueLocations& locations,
                                                     const std::string& wal_name,
                                                     PartialWal partial_files);

struct FoundWal {
  std::filesystem::path path;
  Fd file;
  // How it is stored.
  wal_archive::WalStoredForm stored;
  // What is sent.
  WalForm form = WalForm::plain;
};
// Throws WalNotFound, BadWalRequest for a name that is none, `config` for a file that is stored
// encrypted without a way to decrypt it.
FoundWal find_wal(const server::Server& server, const WalRequest& request);

enum class SendOutcome {
  sent,
  reader_gone,  // nobody reads `fd` any more
};
// Throws what reading and writing say; for damaged files `corrupt`, after a part was sent;
// `interrupted` while it waits for the reader; when the output is closed.
SendOutcome send_wal(const server::Server& server, const FoundWal& wal, int fd);
// Writes its content to a file that somebody else gives its name. Throws what send_wal() does.
void copy_wal(const server::Server& server, const FoundWal& wal, const Fd& target,
              const std::filesystem::path& target_path);
// Writes `directory`/`request.wal_name`, which appears complete or not at all. Throws BadWalRequest
// when it cannot be opened.
void write_wal(const server::Server& server, const WalRequest& request,
               const std::filesystem::path& directory, Messages& messages);

// Up to `count` consecutive names that exist, from this one on; partial files do not count.
std::vector<std::string> peek_wals(const server::Server& server, const std::string& wal_name,
                                   std::uint64_t count);

}  // namespace barman::wal_transfer
