// Format: docs/formats/backup_info.md.
#include "catalogue/backup_info.h"

#include <algorithm>
#include <array>
#include <concepts>
#include <functional>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/text.h"
#include "pipeline/relative_path.h"
#include "wal/wal_file_name.h"

namespace barman::catalogue {
namespace {

constexpr std::array<std::pair<BackupStatus, std::string_view>, 6> kStatusTexts = {{
    {BackupStatus::empty, "EMPTY"},
    {BackupStatus::started, "STARTED"},
    {BackupStatus::waiting_for_wals, "WAITING_FOR_WALS"},
    {BackupStatus::done, "DONE"},
    {BackupStatus::failed, "FAILED"},
    {BackupStatus::syncing, "SYNCING"},
}};

constexpr std::string_view kNull = "None";

[[noreturn]] void fail(const std::string& reason) { throw Error(ErrorKind::corrupt, reason); }

// A value that would end its line early is written with blanks in place of line ends.
std::string one_line(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
  return text;
}

template <std::integral Integer>
Integer parse_int(std::string_view text) {
  const std::optional<std::int64_t> value = parse_integer(text);
  if (!value || !std::in_range<Integer>(*value)) {
    fail(fmt::format("\"{}\" is not a number of this field", text));
  }
  return static_cast<Integer>(*value);
}

// One overload a type: the text of a field, which is not "None", into its value, and back.
void read_value(std::string_view text, std::string& value) { value = text; }
std::string write_value(const std::string& value) { return one_line(value); }

template <std::integral Integer>
void read_value(std::string_view text, Integer& value) {
  value = parse_int<Integer>(text);
}
template <std::integral Integer>
std::string write_value(Integer value) {
  return std::to_string(value);
}

void read_value(std::string_view text, Timestamp& value) {
  const std::optional<ParsedTimestamp> parsed = parse_timestamp(text);
  if (!parsed) fail(fmt::format("\"{}\" is not a point in time", text));
  value = parsed->time;
}
std::string write_value(Timestamp value) { return format_iso(value); }

void read_value(std::string_view text, wal::Lsn& value) {
  const std::optional<wal::Lsn> parsed = wal::parse_lsn(text);
  if (!parsed) fail(fmt::format("\"{}\" is not an LSN", text));
  value = *parsed;
}
std::string write_value(wal::Lsn value) { return wal::format_lsn(value); }

void read_value(std::string_view text, wal::TimelineId& value) {
  value.value = parse_int<std::uint32_t>(text);
}
std::string write_value(wal::TimelineId value) { return std::to_string(value.value); }

// It is the name of a directory.
void read_value(std::string_view text, BackupId& value) {
  if (!is_backup_id(text)) fail(fmt::format("\"{}\" is not a backup ID", text));
  value.value = text;
}
std::string write_value(const BackupId& value) { return one_line(value.value); }

void read_value(std::string_view text, PythonValue& value) { value = parse_python(text); }
std::string write_value(const PythonValue& value) { return repr_python(value); }

template <auto kMember>
void read_optional(BackupInfo& info, std::string_view text) {
  auto& member = info.*kMember;
  member.emplace();
  read_value(text, *member);
}

template <auto kMember>
std::optional<std::string> write_optional(const BackupInfo& info) {
  const auto& member = info.*kMember;
  return member ? std::optional(write_value(*member)) : std::nullopt;
}

// The name of a file in the WAL archive.
template <auto kMember>
void read_segment_name(BackupInfo& info, std::string_view text) {
  const std::optional<wal::WalFileName> name = wal::parse_wal_file_name(text);
  if (!name || name->kind != wal::WalFileKind::segment)
    fail(fmt::format("\"{}\" is not the name of a WAL segment", text));
  info.*kMember = std::string(text);
}

void read_label(BackupInfo& info, std::string_view text) {
  const PythonValue value = parse_python(text);
  const std::string* label = value.as_text();
  if (label == nullptr) fail("not a text in quotes");
  info.backup_label = *label;
  // Passive nodes of Barman quote the label twice.
  if (label->size() >= 2 && (label->front() == '\'' || label->front() == '"') &&
      label->front() == label->back()) {
    const PythonValue inner = parse_python(*label);
    if (inner.as_text() != nullptr) info.backup_label = *inner.as_text();
  }
}
std::optional<std::string> write_label(const BackupInfo& info) {
  return info.backup_label ? std::optional(repr_python(*info.backup_label)) : std::nullopt;
}

// Barman 3.11 to 3.19 wrote a synchronised list character by character: "2,0,2,6,1,1,0,2,T,0,…".
void read_children(BackupInfo& info, std::string_view text) {
  std::string characters;
  for (const std::string& part : split(text, ',')) {
    const std::string_view item = strip(part);
    if (item.size() == 1) characters += item;
    if (item.size() > 1) characters.clear();
    const std::string candidate = item.size() == 1 ? characters : std::string(item);
    if (!is_backup_id(candidate)) continue;
    characters.clear();
    const BackupId id{candidate};
    auto& children = info.children_backup_ids;
    if (std::find(children.begin(), children.end(), id) == children.end()) children.push_back(id);
  }
}
std::optional<std::string> write_children(const BackupInfo& info) {
  if (info.children_backup_ids.empty()) return std::nullopt;
  std::string text;
  for (const BackupId& id : info.children_backup_ids) {
    if (!text.empty()) text += ',';
    text += id.value;
  }
  return text;
}

void read_included_files(BackupInfo& info, std::string_view text) {
  const PythonValue value = parse_python(text);
  if (value.is_none()) return;
  if (value.as_sequence() == nullptr) fail("not a list");
  for (const PythonValue& item : *value.as_sequence()) {
    if (item.as_text() == nullptr) fail("not a list of texts");
    info.included_files.push_back(*item.as_text());
  }
}
std::optional<std::string> write_included_files(const BackupInfo& info) {
  if (info.included_files.empty()) return std::nullopt;
  PythonList list;
  for (const std::string& file : info.included_files) list.items.push_back({file});
  return repr_python(PythonValue{std::move(list)});
}

void read_tablespaces(BackupInfo& info, std::string_view text) {
  const PythonValue value = parse_python(text);
  if (value.is_none()) return;
  if (value.as_sequence() == nullptr) fail("not a list");
  for (const PythonValue& item : *value.as_sequence()) {
    const std::vector<PythonValue>* fields = item.as_sequence();
    if (fields == nullptr || fields->size() != 3) fail("not a list of (name, oid, location)");
    const std::string* name = (*fields)[0].as_text();
    const std::string* location = (*fields)[2].as_text();
    std::optional<std::int64_t> oid = (*fields)[1].as_integer();
    if (const std::string* oid_text = (*fields)[1].as_text()) oid = parse_integer(*oid_text);
    if (name == nullptr || location == nullptr || !oid || !std::in_range<std::uint32_t>(*oid)) {
      fail("not a list of (name, oid, location)");
    }
    if (!pipeline::is_tablespace_location(*location, static_cast<std::uint32_t>(*oid)))
      fail(fmt::format("\"{}\" cannot be the location of tablespace {}", *location, *oid));
    info.tablespaces.push_back(
        {.name = *name, .oid = static_cast<std::uint32_t>(*oid), .location = *location});
  }
}
std::optional<std::string> write_tablespaces(const BackupInfo& info) {
  if (info.tablespaces.empty()) return std::nullopt;
  PythonList list;
  for (const Tablespace& tablespace : info.tablespaces) {
    PythonTuple tuple;
    tuple.items = {{tablespace.name}, {std::int64_t{tablespace.oid}}, {tablespace.location}};
    list.items.push_back({std::move(tuple)});
  }
  return repr_python(PythonValue{std::move(list)});
}

void read_status(BackupInfo& info, std::string_view text) {
  const std::optional<BackupStatus> status = parse_status(text);
  if (!status) fail(fmt::format("\"{}\" is not a status", text));
  info.status = *status;
}
std::optional<std::string> write_status(const BackupInfo& info) {
  return std::string(status_text(info.status));
}

void read_segment_size(BackupInfo& info, std::string_view text) {
  const auto size_bytes = parse_int<std::uint64_t>(text);
  if (!wal::is_valid_segment_size(size_bytes)) {
    fail(fmt::format("\"{}\" is not a WAL segment size", text));
  }
  info.xlog_segment_size = {size_bytes};
}
std::optional<std::string> write_segment_size(const BackupInfo& info) {
  return std::to_string(info.xlog_segment_size.bytes);
}

enum class WhenNull { write_none, leave_out };

struct Field {
  std::string_view key;
  void (*read)(BackupInfo&, std::string_view);
  std::optional<std::string> (*write)(const BackupInfo&);
  WhenNull when_null = WhenNull::write_none;
};

template <auto kMember>
constexpr Field plain(std::string_view key, WhenNull when_null = WhenNull::write_none) {
  return {key, read_optional<kMember>, write_optional<kMember>, when_null};
}

// In the order of the file: sorted by key.
constexpr std::array<Field, 35> kFields = {{
    {"backup_label", read_label, write_label},
    plain<&BackupInfo::backup_name>("backup_name", WhenNull::leave_out),
    plain<&BackupInfo::begin_offset>("begin_offset"),
    plain<&BackupInfo::begin_time>("begin_time"),
    {"begin_wal", read_segment_name<&BackupInfo::begin_wal>,
     write_optional<&BackupInfo::begin_wal>},
    plain<&BackupInfo::begin_xlog>("begin_xlog"),
    {"children_backup_ids", read_children, write_children},
    plain<&BackupInfo::cluster_size>("cluster_size"),
    plain<&BackupInfo::compression>("compression"),
    plain<&BackupInfo::config_file>("config_file"),
    plain<&BackupInfo::copy_stats>("copy_stats"),
    plain<&BackupInfo::data_checksums>("data_checksums"),
    plain<&BackupInfo::deduplicated_size>("deduplicated_size"),
    plain<&BackupInfo::encryption>("encryption"),
    plain<&BackupInfo::end_offset>("end_offset"),
    plain<&BackupInfo::end_time>("end_time"),
    {"end_wal", read_segment_name<&BackupInfo::end_wal>, write_optional<&BackupInfo::end_wal>},
    plain<&BackupInfo::end_xlog>("end_xlog"),
    plain<&BackupInfo::error>("error"),
    plain<&BackupInfo::hba_file>("hba_file"),
    plain<&BackupInfo::ident_file>("ident_file"),
    {"included_files", read_included_files, write_included_files},
    plain<&BackupInfo::mode>("mode"),
    plain<&BackupInfo::parent_backup_id>("parent_backup_id"),
    plain<&BackupInfo::pgdata>("pgdata"),
    plain<&BackupInfo::server_name>("server_name"),
    plain<&BackupInfo::size>("size"),
    plain<&BackupInfo::snapshots_info>("snapshots_info", WhenNull::leave_out),
    {"status", read_status, write_status},
    plain<&BackupInfo::summarize_wal>("summarize_wal"),
    plain<&BackupInfo::systemid>("systemid"),
    {"tablespaces", read_tablespaces, write_tablespaces},
    plain<&BackupInfo::timeline>("timeline"),
    plain<&BackupInfo::version>("version"),
    {"xlog_segment_size", read_segment_size, write_segment_size},
}};

constexpr bool is_before(const Field& field, std::string_view key) { return field.key < key; }
static_assert(std::is_sorted(kFields.begin(), kFields.end(),
                             [](const Field& a, const Field& b) { return a.key < b.key; }));

const Field* find_field(std::string_view key) {
  const auto* const found = std::lower_bound(kFields.begin(), kFields.end(), key, is_before);
  return found != kFields.end() && found->key == key ? found : nullptr;
}

void parse_line(std::string_view line, BackupInfo& info) {
  const std::size_t separator = line.find('=');
  if (separator == std::string_view::npos) fail("no '=' found");
  const std::string_view key = strip(line.substr(0, separator));
  const std::string_view value = strip(line.substr(separator + 1));
  const Field* const field = find_field(key);
  if (field == nullptr) {
    info.unknown[std::string(key)] = value;
    return;
  }
  if (value == kNull) return;
  in_context(std::string(key), [&] { field->read(info, value); });
}

}  // namespace

std::string_view status_text(BackupStatus status) {
  return kStatusTexts.at(static_cast<std::size_t>(status)).second;
}

std::optional<BackupStatus> parse_status(std::string_view text) {
  for (const auto& [status, status_text] : kStatusTexts) {
    if (status_text == text) return status;
  }
  return std::nullopt;
}

std::string_view type_text(BackupType type) {
  constexpr std::array<std::string_view, 4> kTexts = {"full", "incremental", "rsync", "snapshot"};
  return kTexts.at(static_cast<std::size_t>(type));
}

char type_letter(BackupType type) {
  constexpr std::array<char, 4> kLetters = {'F', 'I', 'R', 'S'};
  return kLetters.at(static_cast<std::size_t>(type));
}

bool BackupInfo::is_copy_done() const {
  return status == BackupStatus::waiting_for_wals || status == BackupStatus::done;
}

BackupType BackupInfo::type() const {
  if (mode && mode->starts_with("rsync")) return BackupType::rsync;
  if (mode && mode->starts_with("snapshot")) return BackupType::snapshot;
  return parent_backup_id ? BackupType::incremental : BackupType::full;
}

bool BackupInfo::needs_wal() const {
  return status != BackupStatus::empty && status != BackupStatus::failed;
}

std::optional<wal::TimelineId> BackupInfo::wal_timeline() const {
  if (timeline) return timeline;
  if (!begin_wal) return std::nullopt;
  const std::optional<wal::WalFileName> name = wal::parse_wal_file_name(*begin_wal);
  return name ? std::optional(name->timeline) : std::nullopt;
}

std::optional<double> BackupInfo::copy_stat(std::string_view name) const {
  if (!copy_stats || copy_stats->as_dict() == nullptr) return std::nullopt;
  const PythonValue* const value = copy_stats->as_dict()->find(name);
  return value == nullptr ? std::nullopt : value->as_number();
}

BackupInfo parse_backup_info(std::string_view text, const BackupId& id,
                             const std::filesystem::path& path) {
  BackupInfo info;
  info.id = id;
  bool has_status = false;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = strip(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.front() == '#') continue;
    has_status = has_status || strip(line.substr(0, line.find('='))) == "status";
    try {
      parse_line(line, info);
    } catch (const Error& error) {
      // The parsers below know neither the file nor the line.
      throw Error(ErrorKind::corrupt,
                  fmt::format("cannot parse line {} of \"{}\": {}", number, path.string(),
                              error.describe()),
                  "Correct the line, or put back a copy of the file.");
    }
  }
  // Every version has written it. Without it the backup would look like one that never began, and
  // be marked as failed.
  if (!has_status) {
    throw Error(ErrorKind::corrupt,
                fmt::format("\"{}\" is incomplete: it tells no status", path.string()),
                "Put back a copy of the file.");
  }
  return info;
}

namespace {

// Barman up to 3.10 reads no catalogue that has a key which it does not know.
bool is_known_to_every_barman(std::string_view key) {
  constexpr std::array<std::string_view, 6> kNewer = {"children_backup_ids", "cluster_size",
                                                      "data_checksums",      "encryption",
                                                      "parent_backup_id",    "summarize_wal"};
  return std::find(kNewer.begin(), kNewer.end(), key) == kNewer.end();
}

std::string format_keys(const BackupInfo& info,
                        const std::function<bool(std::string_view key)>& is_wanted) {
  std::map<std::string_view, std::string> lines;
  for (const Field& field : kFields) {
    if (!is_wanted(field.key)) continue;
    std::optional<std::string> value = field.write(info);
    if (!value && field.when_null == WhenNull::leave_out) continue;
    lines.emplace(field.key, value ? std::move(*value) : std::string(kNull));
  }
  for (const auto& [key, value] : info.unknown) lines.emplace(key, value);
  std::string text;
  for (const auto& [key, value] : lines) text.append(key).append("=").append(value).append("\n");
  return text;
}

}  // namespace

std::string format_backup_info(const BackupInfo& info) {
  return format_keys(info, [](std::string_view) { return true; });
}

std::string format_for_old_readers(const BackupInfo& info) {
  const bool is_alone = !info.parent_backup_id && info.children_backup_ids.empty();
  if (!is_alone || info.encryption) return format_backup_info(info);
  return format_keys(info, is_known_to_every_barman);
}

}  // namespace barman::catalogue
