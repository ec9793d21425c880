#include "output/sync_views.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/error.h"
#include "base/json_text.h"
#include "base/text.h"
#include "config/option_table.h"
#include "output/backup_fields.h"
#include "output/chunked_text.h"
#include "output/json_copy.h"
#include "output/server_views.h"
#include "version.h"

namespace barman::output {
namespace {

constexpr JsonStyle kStyle = {.indent = 4, .order = KeyOrder::as_added};

// The fields sorted, with children as the text of the file, and the times once more as ISO.
JsonValue sync_backup(const catalogue::BackupInfo& backup) {
  const JsonValue fields = backup_fields(backup, TimeForm::ctime);
  JsonValue::Object members = std::get<JsonValue::Object>(fields.value());
  std::erase_if(members, [](const JsonValue::Member& member) {
    return member.key == "backup_id" || member.key == "children_backup_ids";
  });
  std::vector<std::string> children;
  for (const catalogue::BackupId& id : backup.children_backup_ids) children.push_back(id.value);
  members.push_back(
      {"children_backup_ids", children.empty() ? JsonValue() : JsonValue(join(children, ","))});
  std::sort(members.begin(), members.end(),
            [](const JsonValue::Member& a, const JsonValue::Member& b) { return a.key < b.key; });
  JsonValue object = JsonValue::object();
  for (JsonValue::Member& member : members) object.add(member.key, std::move(member.value));
  const JsonValue iso = backup_fields(backup, TimeForm::iso);
  object.add("backup_id", backup.id.value);
  object.add("begin_time_iso", *iso.find("begin_time"));
  object.add("end_time_iso", *iso.find("end_time"));
  return object;
}

void append_wal(std::string& out, const wal_archive::WalIndexLine& line) {
  const auto text_or_null = [&](std::string_view text) {
    if (text.empty()) {
      out += "null";
    } else {
      append_json_string(out, text);
    }
  };
  out += "        {\n            \"compression\": ";
  text_or_null(line.compression);
  out += ",\n            \"encryption\": ";
  text_or_null(line.encryption);
  out += ",\n            \"name\": ";
  append_json_string(out, line.name);
  fmt::format_to(std::back_inserter(out), ",\n            \"size\": {},\n            \"time\": {}",
                 line.size_bytes, dump(line.mtime));
  out += "\n        }";
}

}  // namespace

void write_sync_info(const Fd& out, const SyncFacts& facts) {
  ChunkedText chunks(out);
  JsonValue backups = JsonValue::object();
  for (const catalogue::BackupInfo& backup : facts.backups) {
    backups.add(backup.id.value, sync_backup(backup));
  }
  JsonValue options = JsonValue::object();
  for (const auto& [key, value] : facts.options) {
    if (config::is_own_option(key)) continue;
    const auto* text = std::get_if<std::string>(&value.data);
    options.add(key, text != nullptr ? JsonValue(without_secret(key, *text)) : to_json(value));
  }
  JsonValue document = JsonValue::object();
  document.add("last_position", facts.wals.last_position);
  document.add("last_name", facts.wals.last_name);
  document.add("backups", std::move(backups));
  document.add("wals", JsonValue::array());
  document.add("version", kVersion);
  document.add("config", std::move(options));
  const std::string frame = dump(document, kStyle);
  // Strings of JSON hold no line breaks: the only such line is that of the member.
  constexpr std::string_view kWals = "\n    \"wals\": [";
  const std::size_t begin = frame.find(kWals) + kWals.size();
  chunks.text() = frame.substr(0, begin);
  std::uint64_t written = 0;
  facts.index.for_each(
      [&](const wal_archive::WalIndexLine& line) {
        if (!facts.wals.includes(line.name)) return wal_archive::Visit::proceed;
        chunks.text() += written++ == 0 ? "\n" : ",\n";
        append_wal(chunks.text(), line);
        chunks.flush_if_full();
        return wal_archive::Visit::proceed;
      },
      facts.wals.begin_offset);
  if (written > 0) chunks.text() += "\n    ";
  chunks.text() += frame.substr(begin);
  chunks.flush();
}

}  // namespace barman::output
