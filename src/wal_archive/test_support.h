// A server on a temporary directory for the unit tests of this folder, and what it says.
#pragma once

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "base/progress.h"
#include "base/test_support.h"
#include "server/server.h"
#include "wal/test_support.h"
#include "wal/wal_file_name.h"
#include "wal_archive/wal_index.h"

namespace barman::wal_archive {

// The name of a segment of 16 MiB.
inline std::string segment(unsigned number, unsigned timeline = 1) {
  return wal::segment_name({wal::TimelineId{timeline}, number}, {});
}

inline std::vector<std::string> list_names(const std::filesystem::path& directory) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

class RecordedMessages final : public Messages {
 public:
  void debug(const std::string&) override {}
  void info(const std::string& text) override { lines.push_back(text); }
  void warning(const std::string& text) override { lines.push_back("WARNING: " + text); }
  void error(const std::string& text) override { lines.push_back("ERROR: " + text); }
  void exception(const std::string& text) override { lines.push_back("EXCEPTION: " + text); }

  std::vector<std::string> lines;
};

// A file that may have this name (`text` inside of it); under other names, and for the empty text,
// `text` alone.
inline std::string wal_content(const std::string& name, const std::string& text) {
  const auto parsed = wal::parse_wal_file_name(name);
  if (!parsed || text.empty()) return text;
  if (parsed->kind == wal::WalFileKind::history) return "1\t0/3000000\t" + text;
  if (parsed->kind == wal::WalFileKind::backup) {
    return "START WAL LOCATION: 0/100028 (file " + parsed->segment() +
           ")\nSTOP WAL LOCATION: 0/100100 (file " + parsed->segment() + ")\n" + text;
  }
  return wal::make_segment(name, {.text = text});
}
inline void put_wal_file(const std::filesystem::path& path, const std::string& text) {
  put_file(path, wal_content(path.filename().string(), text));
}
// What put_wal_file() was given.
inline std::string get_wal_text(const std::filesystem::path& path) {
  const std::string bytes = get_file(path);
  if (bytes.starts_with("\x10\xd1")) return wal::text_of_segment(bytes);
  return bytes.starts_with("1\t0/") ? bytes.substr(bytes.rfind('\t') + 1) : bytes;
}

// Server "main" with both archivers.
class TestServer {
 public:
  TestServer() {
    config.name = "main";
    config.backup_directory = (home.path() / "main").string();
    const auto below = [&](const std::string& name) {
      return config.backup_directory + "/" + name;
    };
    config.basebackups_directory = below("base");
    config.wals_directory = below("wals");
    config.xlogdb_directory = below("wals");
    config.incoming_wals_directory = below("incoming");
    config.streaming_wals_directory = below("streaming");
    config.errors_directory = below("errors");
    config.archiver = true;
    config.streaming_archiver = true;
    for (const std::string& directory :
         {config.wals_directory, config.incoming_wals_directory, config.streaming_wals_directory}) {
      std::filesystem::create_directories(directory);
    }
  }

  server::Server make() const {
    config::GlobalConfig global;
    global.barman_lock_directory = home.path().string();
    server::ProgramContext program;
    program.clock = clock;
    return {config, global, program};
  }
  std::filesystem::path streaming(const std::string& name) const {
    return std::filesystem::path(config.streaming_wals_directory) / name;
  }
  std::filesystem::path incoming(const std::string& name) const {
    return std::filesystem::path(config.incoming_wals_directory) / name;
  }
  std::filesystem::path archived(const std::string& name) const {
    return archived_wal_path(config.wals_directory, name);
  }
  std::vector<std::string> indexed() const {
    std::vector<std::string> names;
    WalIndex::open(make().locations()).for_each([&](const WalIndexLine& line) {
      names.emplace_back(line.name);
      return Visit::proceed;
    });
    return names;
  }

  TemporaryDirectory home;
  config::ServerConfig config;
  WallClock clock;
};

inline std::string wal_name(unsigned number) {
  return wal::segment_name({wal::TimelineId{1}, number}, {});
}

}  // namespace barman::wal_archive
