// Puts groups of received files into the archive and its index, compressed and encrypted when the
// server says so and they are not, by several threads. It is done so that a crash at any point
// loses and doubles nothing (the protocol is told in archive_wal.h). For the holder of the
// archive-wal lock.
#pragma once

#include <cstddef>
#include <exception>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/wall_clock.h"
#include "catalogue/catalogue.h"
#include "catalogue/minimal_wal.h"
#include "server/server.h"
#include "wal_archive/object_writer.h"
#include "wal_archive/wal_archive.h"
#include "wal_archive/wal_batch.h"
#include "wal_archive/wal_coding.h"

namespace barman::wal_archive {

enum class FiledAs {
  archived,
  duplicate,   // was archived with the same content
  rejected,    // was archived with other content: moved to `errors/`
  unfit,       // cannot be what its name says: moved to `errors/`
  unfinished,  // is shorter than it must be, and was written to a moment ago: stays
  vanished,    // is not there any more
};

struct FiledWal {
  FiledAs outcome = FiledAs::archived;
  // As its line in the index is; for files that were not archived now, as they came in.
  WalIndexEntry entry;
  // Of an unfit or unfinished file; of an archived one, why the file that was archived before under
  // that name could not be right: it was moved to `errors/`.
  std::string problem{};
  // Where it tells that the server ran with wal_level = minimal.
  std::optional<catalogue::MinimalWal> minimal{};
};

// One received file as its line in the index would be, if it were archived as it is.
WalIndexEntry inspect_received_wal(const Fd& file, const std::filesystem::path& path,
                                   WalSource source, const WalCoding& coding);

class WalFiler {
 public:
  static constexpr std::size_t kGroupSize = 32;

  WalFiler(const server::Server& server, WalSource source);
  // Into another archive than the configured one.
  WalFiler(const server::Server& server, WalSource source, WalArchive archive);

  // At most kGroupSize names. One result a name, fewer when a file failed: those before it are
  // done, then its error is thrown by rethrow_failure().
  std::vector<FiledWal> file_group(std::span<const std::string> names);
  void rethrow_failure() const;

  std::filesystem::path source_path(const std::string& name) const {
    return source_directory_ / name;
  }

 private:
  struct Item {
    FiledAs outcome = FiledAs::archived;
    Fd file;
    std::filesystem::path source;
    std::filesystem::path target;
    PreparedWal prepared;
    WalIndexEntry entry;
    std::string problem{};
    std::optional<catalogue::MinimalWal> minimal{};
    // The archived file of that name gives way.
    bool is_replacing = false;
    std::exception_ptr failure{};
  };

  std::vector<Item> prepare_group(std::span<const std::string> names);
  Item prepare(const std::string& name) const;
  bool is_fit(Item& item, const std::string& name, const WalStoredForm& form) const;
  void compare_with_archived(Item& item, const std::string& name, const Fd& archived) const;
  void remove_replaced(WalIndex& index, const std::vector<Item>& items);
  void keep_replaced(const Item& item) const;
  bool is_same_wal(const Item& item, const Fd& archived) const;
  bool has_time_of_received(const Item& item, const Fd& archived) const;
  bool can_compare(const Item& item, const Fd& archived) const;
  void put_into_archive(std::vector<Item>& items);
  std::vector<WalIndexEntry> missing_lines(const WalIndex& index,
                                           const std::vector<Item>& items) const;
  void finish_sources(const std::vector<Item>& items);

  catalogue::CatalogueLocations locations_;
  WalArchive archive_;
  WalSource source_;
  WalCoding coding_;
  WallClock clock_;
  std::filesystem::path source_directory_;
  std::optional<std::uint64_t> system_id_;
  std::exception_ptr failure_;
};

}  // namespace barman::wal_archive
