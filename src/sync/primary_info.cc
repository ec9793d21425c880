#include "sync/primary_info.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "catalogue/python_literal.h"
#include "wal/wal_file_name.h"

namespace barman::sync {
namespace fs = std::filesystem;

using catalogue::BackupInfo;
using nlohmann::json;

namespace {

// What parse_python() reads back.
constexpr int kMaxDepth = 30;
// Far beyond the year 3000.
constexpr double kMaxTime = 1e11;

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

File open_from_begin(const Fd& fd, const fs::path& path) {
  const int copy = ::dup(fd.get());
  File file(copy < 0 ? nullptr : ::fdopen(copy, "r"));
  if (file == nullptr || ::lseek(copy, 0, SEEK_SET) != 0) {
    throw_errno(fmt::format("cannot read \"{}\"", path.string()));
  }
  return file;
}

Error damaged(const fs::path& path, const std::string& reason) {
  return {ErrorKind::corrupt, fmt::format("\"{}\" is damaged: {}", path.string(), reason),
          "'cron' asks the primary node for a new one."};
}

catalogue::PythonValue python_of(const json& value, int depth = 0) {
  if (depth > kMaxDepth) throw Error(ErrorKind::corrupt, "a value is nested too deeply");
  if (value.is_boolean()) return {value.get<bool>()};
  if (value.is_number_integer()) return {value.get<std::int64_t>()};
  if (value.is_number()) return {value.get<double>()};
  if (value.is_string()) return {value.get<std::string>()};
  if (value.is_array()) {
    catalogue::PythonList list;
    for (const json& item : value) list.items.push_back(python_of(item, depth + 1));
    return {list};
  }
  catalogue::PythonDict dict;
  if (value.is_object()) {
    for (const auto& [key, item] : value.items()) dict.set(key, python_of(item, depth + 1));
    return {dict};
  }
  return {};
}

// As the value stands in backup.info: text as it is, everything else as Python writes it.
std::string field_text(const json& value) {
  return value.is_string() ? replace_all(value.get<std::string>(), "\n", " ")
                           : catalogue::repr_python(python_of(value));
}

BackupInfo parse_backup(const std::string& id, const json& object, const fs::path& path) {
  const auto parsed_id = catalogue::parse_backup_id(id);
  if (!parsed_id || !object.is_object()) {
    throw damaged(path, fmt::format("'{}' is no backup", id));
  }
  std::string text;
  for (const auto& [key, value] : object.items()) {
    if (key == "backup_id" || key.ends_with("_iso") || key.find_first_of("=\n") != key.npos) {
      continue;
    }
    // The ISO form has the zone and the fraction.
    const auto iso = object.find(key + "_iso");
    const json& best = iso != object.end() && iso->is_string() ? *iso : value;
    text += fmt::format("{}={}\n", key, field_text(best));
  }
  BackupInfo backup = catalogue::parse_backup_info(text, *parsed_id, path);
  // They become names of files here.
  for (const std::optional<std::string>& name : {backup.begin_wal, backup.end_wal}) {
    if (name && !wal::parse_wal_file_name(*name)) {
      throw damaged(path, fmt::format("backup {} names '{}', which is no WAL file", id, *name));
    }
  }
  return backup;
}

std::string text_of(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

wal_archive::WalIndexEntry parse_wal(const json& object, const fs::path& path) {
  const std::string name = text_of(object, "name");
  if (!wal::parse_wal_file_name(name)) {
    throw damaged(path, fmt::format("'{}' is no name of a WAL file", name));
  }
  const auto optional_text = [&](const char* key) {
    const std::string text = text_of(object, key);
    return text.empty() || text == "None" ? std::nullopt : std::optional(text);
  };
  const auto size = object.find("size");
  if (size == object.end() || !size->is_number_unsigned()) {
    throw damaged(path, fmt::format("the size of WAL file {} is missing", name));
  }
  const auto time = object.find("time");
  if (time == object.end() || !time->is_number() || time->get<double>() < 0 ||
      time->get<double>() > kMaxTime) {
    throw damaged(path, fmt::format("the time of WAL file {} is missing", name));
  }
  return {.name = name,
          .size_bytes = size->get<std::uint64_t>(),
          .mtime = time->get<double>(),
          .compression = optional_text("compression"),
          .encryption = optional_text("encryption")};
}

fs::path absolute_path(const json& config, const char* key, const fs::path& path) {
  const std::string text = text_of(config, key);
  if (text.find("://") != std::string::npos) {
    throw Error(ErrorKind::config,
                fmt::format("the primary node has a bucket as {}, {}: nothing is copied from there",
                            key, text),
                fmt::format("Read the bucket from here: instead of primary_ssh_command give the "
                            "section of this server '{} = {}', 'active = false' and the keys of "
                            "the bucket. For a copy on a disk of this host, 'barman export-backup' "
                            "on the primary node and 'barman import-backup' here.",
                            key, text));
  }
  if (!text.starts_with('/')) {
    throw damaged(path, fmt::format("the primary has no local {} ('{}')", key, text));
  }
  return text;
}

// One pass over the document. What on_wal() throws ends it.
json parse_document(const Fd& fd, const fs::path& path, PrimaryInfo& info,
                    const WalVisitor& on_wal) {
  const File file = open_from_begin(fd, path);
  std::string member;
  std::string id;
  // Nothing is kept of what may be long: for each object that ends the parser looks through all
  // that is kept beside it.
  const auto take_elements = [&](int depth, json::parse_event_t event, json& parsed) {
    constexpr int kMember = 1;
    constexpr int kElement = 2;
    using Event = json::parse_event_t;
    if (event == Event::key && depth == kMember) member = parsed.get<std::string>();
    if (depth != kElement || (member != "wals" && member != "backups")) return true;
    if (event == Event::key) id = parsed.get<std::string>();
    if (member == "backups" && (event == Event::value || event == Event::array_end)) {
      throw damaged(path, fmt::format("'{}' is no backup", id));
    }
    if (event != Event::object_end) return true;
    if (member == "backups") {
      info.backups.push_back(parse_backup(id, parsed, path));
      return false;
    }
    const wal_archive::WalIndexEntry entry = parse_wal(parsed, path);
    ++info.wal_count;
    if (on_wal) on_wal(entry);
    return false;
  };
  try {
    return json::parse(file.get(), take_elements);
  } catch (const json::exception& error) {
    throw damaged(path, error.what());
  }
}

}  // namespace

const BackupInfo* PrimaryInfo::find_backup(const catalogue::BackupId& id) const {
  return catalogue::find_backup(backups, id);
}

PrimaryInfo read_primary_info(const Fd& file, const fs::path& path, const WalVisitor& on_wal) {
  PrimaryInfo info;
  const json document = parse_document(file, path, info, on_wal);
  const auto member = [&](const char* key) {
    const auto found = document.is_object() ? document.find(key) : document.end();
    if (!document.is_object() || found == document.end() || !found->is_object()) {
      throw damaged(path, fmt::format("it has no object '{}'", key));
    }
    return *found;
  };
  const json config = member("config");
  info.compression = text_of(config, "compression");
  info.basebackups_directory = absolute_path(config, "basebackups_directory", path);
  info.wals_directory = absolute_path(config, "wals_directory", path);
  if (const std::string text = text_of(config, "backup_directory"); text.starts_with('/')) {
    info.backup_directory = text;
  }
  info.last_name = text_of(document, "last_name");
  const auto position = document.find("last_position");
  if (position != document.end() && position->is_number_unsigned()) {
    info.last_position = position->get<std::uint64_t>();
  }
  member("backups");
  std::sort(info.backups.begin(), info.backups.end(),
            [](const BackupInfo& a, const BackupInfo& b) { return a.id < b.id; });
  const auto twice =
      std::adjacent_find(info.backups.begin(), info.backups.end(),
                         [](const BackupInfo& a, const BackupInfo& b) { return a.id == b.id; });
  if (twice != info.backups.end()) {
    throw damaged(path, fmt::format("backup {} is there twice", twice->id.value));
  }
  return info;
}

fs::path primary_info_path(const catalogue::CatalogueLocations& locations) {
  return locations.backup_directory / "primary.info";
}

}  // namespace barman::sync
