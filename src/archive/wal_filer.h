// Puts groups of received files into the archive and its index, so that a crash at any point loses
// and doubles nothing (the protocol is told in archive_wal.h). For the holder of the archive-wal
// lock.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "archive/wal_batch.h"
#include "base/fd.h"
#include "catalogue/catalogue.h"
#include "catalogue/wal_index.h"

namespace barman::archive {

enum class FiledAs {
  archived,
  duplicate,  // was archived with the same content
  rejected,   // was archived with other content: moved to `errors/`
  vanished,   // is not there any more
};

// One received file as its line in the index would be.
catalogue::WalIndexEntry inspect_received_wal(const Fd& file, const std::filesystem::path& path,
                                              WalSource source);

class WalFiler {
 public:
  static constexpr std::size_t kGroupSize = 32;

  WalFiler(const catalogue::CatalogueLocations& locations, WalSource source);

  // At most kGroupSize names. One result a name, fewer when a file failed: those before it are
  // done, then its error is thrown by rethrow_failure().
  std::vector<FiledAs> file_group(std::span<const std::string> names);
  void rethrow_failure() const;

  std::filesystem::path source_path(const std::string& name) const {
    return source_directory_ / name;
  }

  // Called between all steps that change a disk; tests end the process there.
  void set_step_observer(std::function<void()> observer) { observer_ = std::move(observer); }

 private:
  struct Item {
    FiledAs outcome = FiledAs::archived;
    Fd file;
    std::filesystem::path source;
    std::filesystem::path target;
    std::filesystem::path temporary;
    catalogue::WalIndexEntry entry;
  };

  Item prepare(const std::string& name);
  void put_into_archive(std::vector<Item>& items);
  std::vector<catalogue::WalIndexEntry> missing_lines(const catalogue::WalIndex& index,
                                                      const std::vector<Item>& items) const;
  void finish_sources(const std::vector<Item>& items);
  void step() const {
    if (observer_) observer_();
  }

  catalogue::CatalogueLocations locations_;
  WalSource source_;
  std::filesystem::path source_directory_;
  std::filesystem::path known_directory_;  // created by us already
  std::exception_ptr failure_;
  std::function<void()> observer_;
};

}  // namespace barman::archive
