// Names that the WAL itself tells: rows which were added to pg_class, pg_namespace and pg_database,
// and pages of those that were written as a whole. So a table has a name that was made after the
// last backup, or of which there is none.
//
// Only catalogues whose files have their first numbers (VACUUM FULL of a catalogue gives it
// others), and pages that are not compressed (wal_compression). Memory: at most kMaxNames of each
// kind.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "postgres/catalogue_rows.h"
#include "wal/change_records.h"

namespace barman::accident {

struct NamedFile {
  std::string name;
  std::uint32_t schema_oid = 0;
  char kind = ' ';
  bool is_latest = false;
};

class WalNames {
 public:
  // `block`: the first one that the record changes.
  void learn(const wal::RecordView& record, const wal::ChangedBlock& block);
  // Of later WAL.
  void add(WalNames&& later);

  // nullptr = not known. By database and file number.
  const NamedFile* find_relation(std::uint32_t database, std::uint32_t number) const;
  // "" = not known.
  std::string schema_name(std::uint32_t database, std::uint32_t oid) const;
  std::string database_name(std::uint32_t oid) const;

 private:
  using Key = std::pair<std::uint32_t, std::uint32_t>;
  static constexpr std::size_t kMaxNames = 200'000;

  void keep(std::uint32_t database, const postgres::ClassRow& row);
  static void keep(const Key& key, const postgres::NamedRow& row,
                   std::map<Key, postgres::NamedRow>& rows);

  std::map<Key, NamedFile> relations_;
  std::map<Key, postgres::NamedRow> schemas_;
  std::map<Key, postgres::NamedRow> databases_;  // of database 0
};

}  // namespace barman::accident
