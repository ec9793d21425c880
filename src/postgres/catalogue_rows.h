// Rows of system catalogues, read from their files: which database, schema or relation has which
// name, when no server can be asked (docs/formats/catalogue_rows.md). Only columns in front of all
// that have a variable length. Formats of 13 to 18; what is damaged gives nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "base/fd.h"

namespace barman::postgres {

inline constexpr std::uint32_t kClassCatalogue = 1259;
inline constexpr std::uint32_t kDatabaseCatalogue = 1262;
inline constexpr std::uint32_t kNamespaceCatalogue = 2615;
// OIDs below are those of the system; so are the numbers of its files, until they are rewritten.
inline constexpr std::uint32_t kFirstUserNumber = 16384;

// `pg_filenode.map`: of catalogues whose file number stands nowhere else, by their OID. Empty for
// anything else.
std::map<std::uint32_t, std::uint32_t> parse_file_map(Bytes content);

// OID and name, as pg_database and pg_namespace begin with.
struct NamedRow {
  std::uint32_t oid = 0;
  std::string name;
  // No later transaction has changed or removed it, as far as the row itself tells.
  bool is_latest = false;
};
struct ClassRow {
  NamedRow common;
  std::uint32_t schema_oid = 0;
  std::uint32_t file_number = 0;
  char kind = ' ';
};

// `columns` as they lie behind the header of a row; nullopt when there are too few. They are the
// latest.
std::optional<NamedRow> named_row_of(Bytes columns);
std::optional<ClassRow> class_row_of(Bytes columns, int server_major);

// `page`: 8192 bytes. Each row on it, dead ones too.
void visit_named_rows(Bytes page, const std::function<void(const NamedRow&)>& visit);
void visit_class_rows(Bytes page, int server_major,
                      const std::function<void(const ClassRow&)>& visit);

// "table" for 'r'; "" when it is not known.
std::string relation_kind_text(char kind);

}  // namespace barman::postgres
