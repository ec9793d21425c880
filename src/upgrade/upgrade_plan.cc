#include "upgrade/upgrade_plan.h"

#include <algorithm>
#include <array>
#include <string_view>

#include <fmt/format.h>

#include "base/error.h"
#include "base/text.h"
#include "config/configuration.h"
#include "wal_archive/wal_archive.h"

namespace barman::upgrade {
namespace {

namespace fs = std::filesystem;

struct DirectoryOption {
  const char* name;
  std::string config::ServerConfig::*value;
  // Below backup_directory, unless it is set.
  const char* usual;
};
// xlogdb_directory may be shared by all servers; its file has the name of its own.
constexpr std::array<DirectoryOption, 5> kParts = {{
    {"basebackups_directory", &config::ServerConfig::basebackups_directory, "base"},
    {"wals_directory", &config::ServerConfig::wals_directory, "wals"},
    {"incoming_wals_directory", &config::ServerConfig::incoming_wals_directory, "incoming"},
    {"streaming_wals_directory", &config::ServerConfig::streaming_wals_directory, "streaming"},
    {"errors_directory", &config::ServerConfig::errors_directory, "errors"},
}};

bool is_below(const fs::path& path, const fs::path& directory) {
  const fs::path relative =
      path.lexically_normal().lexically_relative(directory.lexically_normal());
  return !relative.empty() && *relative.begin() != ".." && relative != ".";
}

fs::path without_slash(const fs::path& path) {
  return path.has_filename() ? path : path.parent_path();
}

// Beside it: a rename stays in its file system.
fs::path place_beside(const fs::path& directory, const std::string& server,
                      const std::string& old_name) {
  const std::string name = directory.filename().string();
  return directory.parent_path() / (name == server ? old_name : name + "-" + old_name);
}

// It is typed on command lines, and told in commands.
bool is_plain_name(const std::string& name) {
  constexpr std::string_view kPlain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";
  return config::Configuration::is_possible_section_name(name) && !name.starts_with('-') &&
         name.find_first_not_of(kPlain) == std::string::npos;
}

std::string choose_name(const UpgradeFacts& facts) {
  if (facts.begun_name) return *facts.begun_name;
  const std::string& server = facts.config.name;
  if (facts.wanted_name) {
    const std::string& name = *facts.wanted_name;
    if (!is_plain_name(name)) {
      throw Error(ErrorKind::usage, fmt::format("'{}' cannot be the name of a server", name),
                  "Use letters, digits, '-', '_' and '.'.");
    }
    if (facts.taken_names.contains(name)) {
      throw Error(ErrorKind::conflict,
                  fmt::format("there is a section [{}] already: the old catalogue of server '{}' "
                              "needs a name of its own",
                              name, server),
                  "Choose another one with --old-name.");
    }
    return name;
  }
  const std::string& version = facts.known->version;
  const std::string name =
      version.empty() ? server + "-old" : fmt::format("{}-{}-old", server, version);
  if (!facts.taken_names.contains(name)) return name;
  for (int number = 2;; ++number) {
    std::string numbered = fmt::format("{}-{}", name, number);
    if (!facts.taken_names.contains(numbered)) return numbered;
  }
}

std::vector<Move> list_moves(const UpgradeFacts& facts, const std::string& old_name) {
  const config::ServerConfig& config = facts.config;
  const fs::path root = without_slash(config.backup_directory);
  std::vector<Move> moves;
  for (const DirectoryOption& part : kParts) {
    const fs::path from = without_slash(config.*part.value);
    const bool goes_along = from == root || is_below(from, root) ||
                            std::any_of(moves.begin(), moves.end(), [&](const Move& move) {
                              return from == move.from || is_below(from, move.from);
                            });
    if (!goes_along) moves.push_back({from, place_beside(from, config.name, old_name)});
  }
  moves.push_back({root, place_beside(root, config.name, old_name)});
  return moves;
}

fs::path place_after(const std::vector<Move>& moves, const fs::path& path) {
  for (const Move& move : moves) {
    if (path == move.from) return move.to;
    if (is_below(path, move.from)) return move.to / path.lexically_relative(move.from);
  }
  return path;
}

config::ChangeSet old_section(const UpgradeFacts& facts, const UpgradePlan& plan) {
  std::map<std::string, std::string> settings = facts.written;
  for (const auto& [key, value] : settings) {
    if (value.find('\n') == std::string::npos) continue;
    throw Error(ErrorKind::config,
                fmt::format("the value of {} in section [{}] has more than one line, and cannot be "
                            "copied",
                            key, plan.server),
                "Write it in one line.");
  }
  settings["active"] = "false";
  const auto description = settings.find("description");
  settings["description"] =
      fmt::format("{} (until {}: system identifier {})",
                  description == settings.end() ? plan.server : description->second, facts.today,
                  plan.old_cluster->system_id);
  const fs::path directory = plan.moves.back().to;
  settings.erase("backup_directory");
  if (directory != fs::path(facts.barman_home) / plan.old_name)
    settings["backup_directory"] = directory.string();
  for (const DirectoryOption& part : kParts) {
    settings.erase(part.name);
    const fs::path place = place_after(plan.moves, without_slash(facts.config.*part.value));
    if (place != directory / part.usual) settings[part.name] = place.string();
  }
  if (settings.contains("xlogdb_directory"))
    settings["xlogdb_directory"] = plan.index.to.parent_path().string();
  config::ChangeSet section{.section = plan.old_name, .changes = {}};
  for (const auto& [key, value] : settings) section.changes.push_back({key, value});
  return section;
}

}  // namespace

UpgradePlan plan_upgrade(const UpgradeFacts& facts) {
  const config::ServerConfig& config = facts.config;
  UpgradePlan plan{.server = config.name,
                   .stage = facts.moved_name ? Stage::moved : Stage::begins,
                   .old_cluster = facts.known,
                   .new_cluster = facts.cluster};
  if (!facts.moved_name) {
    if (!facts.known) {
      throw Error(
          ErrorKind::conflict,
          fmt::format("nothing in the catalogue of server '{}' tells to which cluster it "
                      "belongs: there is no backup in it, and no WAL{}",
                      config.name, facts.has_wal ? " that can be read" : ""),
          facts.has_wal
              ? "If that WAL is of another cluster: " + other_way(config.name, facts.cluster)
              : fmt::format("Nothing has to be put aside. Take a first backup: barman "
                            "backup --wait {}.",
                            config.name));
    }
    if (facts.known->system_id == facts.cluster.system_id) {
      plan.stage = Stage::done;
      return plan;
    }
  }
  plan.old_name = facts.moved_name ? *facts.moved_name : choose_name(facts);
  plan.moves = list_moves(facts, plan.old_name);
  const fs::path index = without_slash(config.xlogdb_location());
  const fs::path index_after = place_after(plan.moves, index);
  plan.index = {wal_archive::index_file(plan.server, index_after),
                wal_archive::index_file(plan.old_name, index_after)};
  if (plan.stage == Stage::begins) plan.section = old_section(facts, plan);
  return plan;
}

std::string other_way(const std::string& server, const catalogue::Identity& cluster) {
  return fmt::format(
      "Give the new cluster a section of its own instead, [{0}-{1}] for example, and set "
      "active = false in [{0}]: its backups stay restorable.",
      server, cluster.version.empty() ? "new" : cluster.version);
}

}  // namespace barman::upgrade
