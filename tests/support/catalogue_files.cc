#include "support/catalogue_files.h"

#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "support/temp_dir.h"

namespace barman::test {

namespace fs = std::filesystem;

Fields read_backup_info(const BarmanHome& barman, const std::string& server,
                        const std::string& backup_id) {
  const fs::path file = barman.server_directory(server) / "meta" / (backup_id + "-backup.info");
  Fields fields;
  for (const std::string& line : split(read_text(file), '\n')) {
    if (line.empty()) continue;
    const std::size_t equals = line.find('=');
    if (equals == std::string::npos) {
      throw Error(ErrorKind::corrupt, "a line without '=' in " + file.string() + ": " + line);
    }
    fields[line.substr(0, equals)] = line.substr(equals + 1);
  }
  return fields;
}

std::string problem_of_old_copy(const BarmanHome& barman, const std::string& server,
                                const std::string& backup_id, const fs::path& copy) {
  const fs::path file = barman.server_directory(server) / "meta" / (backup_id + "-backup.info");
  std::string expected;
  for (const std::string& line : split(read_text(file), '\n')) {
    const std::string key = line.substr(0, line.find('='));
    const bool is_newer = key == "children_backup_ids" || key == "cluster_size" ||
                          key == "data_checksums" || key == "encryption" ||
                          key == "parent_backup_id" || key == "summarize_wal";
    if (!line.empty() && !is_newer) expected += line + "\n";
  }
  const std::string found = read_text(copy);
  return found == expected ? "" : copy.string() + " is\n" + found + "instead of\n" + expected;
}

std::vector<IndexedWal> read_wal_index(const BarmanHome& barman, const std::string& server) {
  const fs::path file = barman.server_directory(server) / "wals" / (server + "-xlog.db");
  std::vector<IndexedWal> wals;
  for (const std::string& line : split(read_text(file), '\n')) {
    if (line.empty()) continue;
    const std::vector<std::string> parts = split(line, '\t');
    if (parts.size() != 5) {
      throw Error(ErrorKind::corrupt, "not five fields in " + file.string() + ": " + line);
    }
    wals.push_back({.name = parts[0],
                    .size_bytes = parse_integer(parts[1]).value(),
                    .mtime = parts[2],
                    .compression = parts[3],
                    .encryption = parts[4]});
  }
  return wals;
}

fs::path archived_wal(const BarmanHome& barman, const std::string& server,
                      const std::string& name) {
  const fs::path directory = barman.server_directory(server) / "wals";
  return name.ends_with(".history") ? directory / name : directory / name.substr(0, 16) / name;
}

std::vector<std::string> archived_wal_names(const BarmanHome& barman, const std::string& server) {
  std::vector<std::string> names;
  const fs::path directory = barman.server_directory(server) / "wals";
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    const std::string name = entry.path().filename().string();
    if (entry.is_regular_file() && !name.ends_with("-xlog.db")) names.push_back(name);
  }
  std::ranges::sort(names);
  return names;
}

std::string wal_segment(const std::string& name, const std::string& content) {
  constexpr std::uint64_t kSizeBytes = std::uint64_t{1} << 20;
  constexpr std::size_t kHeaderBytes = 40;
  const auto number = [&](std::size_t offset) {
    return std::stoull(name.substr(offset, 8), nullptr, 16);
  };
  std::string segment(kSizeBytes, '\0');
  const auto put = [&](std::size_t offset, std::size_t size, std::uint64_t value) {
    for (std::size_t i = 0; i < size; ++i)
      segment[offset + i] = static_cast<char>(value >> (8 * i));
  };
  put(0, 2, 0xD110);  // PostgreSQL 15
  put(2, 2, 2);       // a long header
  put(4, 4, number(0));
  put(8, 8, number(8) << 32U | number(16) * kSizeBytes);
  put(24, 8, 7710433624940005412U);
  put(32, 4, kSizeBytes);
  put(36, 4, 8192);
  segment.replace(kHeaderBytes, content.size(), content);
  return segment;
}

}  // namespace barman::test
