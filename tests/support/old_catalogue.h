// Catalogues as Barman has left them, version by version, made from the facts of Barman: where the
// metadata and the annotations are, which fields a backup.info has, how the index of WAL is named
// and how many columns it has, where the data is.
//
//   OldCatalogue catalogue(barman.server_directory("main"), old_layouts().front());
//   catalogue.add_all();
#pragma once

#include <filesystem>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include "support/catalogue_files.h"

namespace barman::test {

// What differs between the versions.
struct OldLayout {
  std::string version;
  std::set<std::string> missing_fields;   // of backup.info
  bool has_metadata_directory = false;    // meta/<id>-backup.info, since 3.13.2
  bool has_metadata_annotations = false;  // meta/<id>-keep, since 3.13.3
  bool has_named_index = false;           // <server>-xlog.db, since 3.13.0
  int index_columns = 4;                  // 5 since 3.14
  bool has_pgdata_directory = false;      // base/<id>/pgdata, the oldest layout
  bool has_time_zones = true;             // in begin_time and end_time
  bool has_incrementals = false;          // since 3.11
};
std::ostream& operator<<(std::ostream& out, const OldLayout& layout);

// The oldest one, and Barman 3.4 to 3.20, one for each difference.
const std::vector<OldLayout>& old_layouts();

// All keys that Barman 3.20 knows in a backup.info; it refuses any other.
const std::set<std::string>& known_backup_fields();

// Five backups of server "main" and their WAL, 000000010000000000000001 to ...0A:
//   kKept    rsync, DONE, kept "full", named "september"; WAL 2
//   kRoot    postgres, DONE; WAL 4; parent of kChild in versions that have incrementals
//   kChild   incremental, DONE; WAL 5
//   kFailed  FAILED, without WAL
//   kWaiting WAITING_FOR_WALS, although its WAL 8 is there
//   kNewest  DONE; WAL 9
class OldCatalogue {
 public:
  static constexpr const char* kKept = "20260901T000000";
  static constexpr const char* kRoot = "20260908T000000";
  static constexpr const char* kChild = "20260909T000000";
  static constexpr const char* kFailed = "20260910T000000";
  static constexpr const char* kWaiting = "20260915T000000";
  static constexpr const char* kNewest = "20260920T000000";

  OldCatalogue(std::filesystem::path server_directory, OldLayout layout);

  void add_all() const;
  std::vector<std::string> ids() const;

  // The parts, for a catalogue with real backups. `fields` are those of 3.20.
  void write_backup_info(const std::string& id, Fields fields) const;
  void write_keep(const std::string& id, const std::string& target) const;
  void write_index(const std::vector<IndexedWal>& wals) const;
  std::filesystem::path backup_info(const std::string& id) const;
  std::filesystem::path base(const std::string& id) const;
  std::filesystem::path data(const std::string& id) const;
  std::filesystem::path index() const;

  static std::string wal(int number);

 private:
  void add_backup(const std::string& id, const Fields& changes) const;
  void add_wals() const;

  std::filesystem::path directory_;
  OldLayout layout_;
};

}  // namespace barman::test
