#include "support/old_catalogue.h"

#include <fmt/format.h>

#include <utility>

#include "support/temp_dir.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

constexpr int kWalCount = 10;
constexpr std::int64_t kWalSize = 4;

const std::set<std::string> kSince3_11 = {"data_checksums", "summarize_wal", "parent_backup_id",
                                          "children_backup_ids", "cluster_size"};

std::set<std::string> operator+(std::set<std::string> left, const std::set<std::string>& right) {
  left.insert(right.begin(), right.end());
  return left;
}

// A finished backup of method postgres, each field of 3.20.
Fields all_fields() {
  return {{"backup_label",
           "'START WAL LOCATION: 0/4000028 (file 000000010000000000000004)\\nLABEL: x\\n'"},
          {"backup_name", "None"},
          {"begin_offset", "40"},
          {"begin_time", "2026-09-08 00:00:00.188315+00:00"},
          {"begin_wal", "None"},
          {"begin_xlog", "None"},
          {"children_backup_ids", "None"},
          {"cluster_size", "23449289"},
          {"compression", "None"},
          {"config_file", "/pg/postgresql.conf"},
          {"copy_stats", "{'copy_time': 5.00304, 'total_time': 5.00304}"},
          {"data_checksums", "on"},
          {"deduplicated_size", "8"},
          {"encryption", "None"},
          {"end_offset", "0"},
          {"end_time", "2026-09-08 00:00:05+00:00"},
          {"end_wal", "None"},
          {"end_xlog", "None"},
          {"error", "None"},
          {"hba_file", "/pg/pg_hba.conf"},
          {"ident_file", "/pg/pg_ident.conf"},
          {"included_files", "None"},
          {"mode", "postgres"},
          {"parent_backup_id", "None"},
          {"pgdata", "/pg"},
          {"server_name", "main"},
          {"size", "8"},
          {"snapshots_info", "None"},
          {"status", "DONE"},
          {"summarize_wal", "None"},
          {"systemid", "7710434044080967591"},
          {"tablespaces", "[('t1', 16384, '/srv/tbs1')]"},
          {"timeline", "1"},
          {"version", "150020"},
          {"xlog_segment_size", "16777216"}};
}

Fields with_wal(int number) {
  return {{"begin_wal", OldCatalogue::wal(number)},
          {"begin_xlog", fmt::format("0/{:X}000028", number)},
          {"end_wal", OldCatalogue::wal(number)},
          {"end_xlog", fmt::format("0/{:X}000100", number)}};
}

Fields merged(Fields fields, const Fields& changes) {
  for (const auto& [key, value] : changes) fields[key] = value;
  return fields;
}

// "2026-09-08 00:00:05+00:00" -> "2026-09-08 00:00:05"
std::string without_zone(const std::string& time) { return time.substr(0, time.find('+')); }

// As damaged by versions 3.11 to 3.19 on passive nodes: one item a character.
std::string damaged_list(const std::string& id) {
  std::string text;
  for (const char c : id) text += fmt::format("{}{}", text.empty() ? "" : ",", c);
  return text;
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const OldLayout& layout) {
  return out << layout.version;
}

const std::vector<OldLayout>& old_layouts() {
  static const std::vector<OldLayout> layouts = {
      {.version = "oldest",
       .missing_fields = kSince3_11 + std::set<std::string>{"encryption", "systemid", "copy_stats",
                                                            "xlog_segment_size", "compression",
                                                            "backup_name", "snapshots_info",
                                                            "deduplicated_size", "included_files"},
       .index_columns = 3,
       .has_pgdata_directory = true,
       .has_time_zones = false},
      {.version = "3.4", .missing_fields = kSince3_11 + std::set<std::string>{"encryption"}},
      {.version = "3.11", .missing_fields = {"encryption"}, .has_incrementals = true},
      {.version = "3.13.0",
       .missing_fields = {"encryption"},
       .has_named_index = true,
       .has_incrementals = true},
      {.version = "3.13.2",
       .missing_fields = {"encryption"},
       .has_metadata_directory = true,
       .has_named_index = true,
       .has_incrementals = true},
      {.version = "3.13.3",
       .missing_fields = {"encryption"},
       .has_metadata_directory = true,
       .has_metadata_annotations = true,
       .has_named_index = true,
       .has_incrementals = true},
      {.version = "3.20",
       .missing_fields = {},
       .has_metadata_directory = true,
       .has_metadata_annotations = true,
       .has_named_index = true,
       .index_columns = 5,
       .has_incrementals = true},
  };
  return layouts;
}

const std::set<std::string>& known_backup_fields() {
  static const std::set<std::string> known = [] {
    std::set<std::string> keys;
    for (const auto& [key, value] : all_fields()) keys.insert(key);
    return keys;
  }();
  return known;
}

OldCatalogue::OldCatalogue(fs::path server_directory, OldLayout layout)
    : directory_(std::move(server_directory)), layout_(std::move(layout)) {}

std::string OldCatalogue::wal(int number) { return fmt::format("00000001{:016X}", number); }

fs::path OldCatalogue::base(const std::string& id) const { return directory_ / "base" / id; }
fs::path OldCatalogue::data(const std::string& id) const {
  return base(id) / (layout_.has_pgdata_directory ? "pgdata" : "data");
}
fs::path OldCatalogue::backup_info(const std::string& id) const {
  return layout_.has_metadata_directory ? directory_ / "meta" / (id + "-backup.info")
                                        : base(id) / "backup.info";
}
fs::path OldCatalogue::index() const {
  return directory_ / "wals" / (layout_.has_named_index ? "main-xlog.db" : "xlog.db");
}

std::vector<std::string> OldCatalogue::ids() const {
  std::vector<std::string> ids = {kKept, kRoot, kChild, kFailed, kWaiting, kNewest};
  if (!layout_.has_incrementals) std::erase(ids, kChild);
  return ids;
}

void OldCatalogue::write_backup_info(const std::string& id, Fields fields) const {
  if (!layout_.has_time_zones) {
    for (const char* key : {"begin_time", "end_time"}) fields[key] = without_zone(fields[key]);
  }
  std::string text;
  for (const auto& [key, value] : fields) {
    const bool is_left_out = (key == "backup_name" || key == "snapshots_info") && value == "None";
    if (!is_left_out && !layout_.missing_fields.contains(key)) {
      text += fmt::format("{}={}\n", key, value);
    }
  }
  fs::create_directories(backup_info(id).parent_path());
  write_text(backup_info(id), text);
}

void OldCatalogue::write_keep(const std::string& id, const std::string& target) const {
  const fs::path file = layout_.has_metadata_annotations ? directory_ / "meta" / (id + "-keep")
                                                         : base(id) / "annotations" / "keep";
  fs::create_directories(file.parent_path());
  write_text(file, target);
}

void OldCatalogue::write_index(const std::vector<IndexedWal>& wals) const {
  std::string text;
  for (const IndexedWal& wal : wals) {
    text += fmt::format("{}\t{}\t{}", wal.name, wal.size_bytes, wal.mtime);
    if (layout_.index_columns > 3) text += "\t" + wal.compression;
    if (layout_.index_columns > 4) text += "\t" + wal.encryption;
    text += "\n";
  }
  fs::create_directories(index().parent_path());
  write_text(index(), text);
}

void OldCatalogue::add_backup(const std::string& id, const Fields& changes) const {
  const std::string date =
      fmt::format("{}-{}-{}", id.substr(0, 4), id.substr(4, 2), id.substr(6, 2));
  write_backup_info(id, merged(merged(all_fields(), {{"begin_time", date + " 00:00:00+00:00"},
                                                     {"end_time", date + " 00:00:05+00:00"}}),
                               changes));
  fs::create_directories(data(id) / "global");
  write_text(data(id) / "PG_VERSION", "15\n");
  write_text(data(id) / "global" / "pg_control", "x");
  const fs::path tablespace =
      layout_.has_pgdata_directory ? data(id) / "pg_tblspc" / "16384" : base(id) / "16384";
  fs::create_directories(tablespace / "PG_15");
  write_text(tablespace / "PG_15" / "1", "1234");
}

void OldCatalogue::add_wals() const {
  std::vector<IndexedWal> wals;
  for (int number = 1; number <= kWalCount; ++number) {
    const std::string name = wal(number);
    const fs::path file = directory_ / "wals" / name.substr(0, 16) / name;
    fs::create_directories(file.parent_path());
    write_text(file, "WAL.");
    wals.push_back({.name = name,
                    .size_bytes = kWalSize,
                    .mtime = "1795225416.4135256",
                    .compression = "None",
                    .encryption = "None"});
  }
  write_index(wals);
}

void OldCatalogue::add_all() const {
  add_wals();
  Fields kept = with_wal(2);
  kept["mode"] = "rsync-concurrent";
  kept["backup_name"] = "september";
  add_backup(kKept, kept);
  write_keep(kKept, "full");
  Fields root = with_wal(4);
  if (layout_.has_incrementals) {
    root["summarize_wal"] = "on";
    root["version"] = "170002";
    root["children_backup_ids"] =
        layout_.version == "3.13.0" ? damaged_list(kChild) : std::string(kChild);
    Fields child = with_wal(5);
    child["parent_backup_id"] = kRoot;
    add_backup(kChild, child);
  }
  add_backup(kRoot, root);
  add_backup(kFailed, {{"status", "FAILED"},
                       {"error", "failure copying files (boom)"},
                       {"size", "None"},
                       {"end_time", "None"}});
  Fields waiting = with_wal(8);
  waiting["status"] = "WAITING_FOR_WALS";
  add_backup(kWaiting, waiting);
  add_backup(kNewest, with_wal(9));
}

}  // namespace barman::test
