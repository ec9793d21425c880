// The options as data: parsing, defaults, inheritance, show-servers, config-update and the manual
// pages all read this table. A new option is one member of ServerConfig and one line here.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config/server_config.h"

namespace barman::config {

enum class OptionType {
  boolean,
  integer,
  natural,   // 0 or more
  positive,  // 1 or more
  text,
  word,               // one of Option::words, any case
  cased_word,         // one of Option::words, exactly
  word_set,           // comma separated Option::words
  interval,           // "7 days"
  size,               // "30Gi"
  path,               // not checked
  absolute_path,      // begins with /
  location,           // a path or a cloud URL
  slot,               // name of a replication slot
  list,               // comma separated, kept as written
  level,              // compression level
  rate,               // kB/s
  tablespace_limits,  // "NAME:KBPS ..."
  retention,          // "RECOVERY WINDOW OF 7 DAYS"
  hexadecimal,        // "0x1f8b"
  one_word,           // falls back to its only word with a log line
  count,              // integer >= 0, falls back to 0 with a log line
};

// Where an option is honoured.
enum class Scope : unsigned { none = 0, global = 1, server = 2, model = 4 };
constexpr Scope operator|(Scope a, Scope b) {
  return static_cast<Scope>(static_cast<unsigned>(a) | static_cast<unsigned>(b));
}
constexpr bool has_scope(Scope scopes, Scope one) {
  return (static_cast<unsigned>(scopes) & static_cast<unsigned>(one)) != 0;
}

// The member of ServerConfig that holds an option.
using OptionMember = std::variant<
    bool ServerConfig::*, std::int64_t ServerConfig::*, std::optional<std::int64_t> ServerConfig::*,
    std::string ServerConfig::*, std::optional<std::string> ServerConfig::*,
    BackupMethod ServerConfig::*, std::optional<BackupCompression> ServerConfig::*,
    std::optional<BackupFormat> ServerConfig::*, std::optional<CompressionSide> ServerConfig::*,
    std::optional<Encryption> ServerConfig::*, std::optional<ReuseBackup> ServerConfig::*,
    SynchronousReceiving ServerConfig::*, SlotCreation ServerConfig::*,
    StagingLocation ServerConfig::*, RetentionMode ServerConfig::*,
    std::optional<ObjectLockMode> ServerConfig::*, BackupOptions ServerConfig::*,
    RecoveryOptions ServerConfig::*, std::optional<Interval> ServerConfig::*,
    std::optional<RetentionPolicy> ServerConfig::*, TablespaceLimits ServerConfig::*,
    std::vector<std::string> ServerConfig::*>;

struct Option {
  std::string_view name;
  Scope scopes = Scope::none;
  OptionType type = OptionType::text;
  // As it would be written in a file; empty = unset. %(key)s refers to options before this one.
  std::string_view default_text;
  OptionMember member;
  std::string_view words;  // blank separated; of a member that is an enum in the order of it
  std::string_view summary;

  bool is_inheritable() const { return has_scope(scopes, Scope::global); }
};

// All server options in the order of Barman, in which they are also computed.
std::span<const Option> server_options();
const Option* find_option(std::string_view name);
// Barman does not know it.
bool is_own_option(std::string_view name);

// Options of the [barman] section that are not defaults of servers.
struct GlobalOption {
  std::string_view name;
  std::string_view default_text;
  std::string_view summary;
};
std::span<const GlobalOption> global_options();

// Whether a key is known in [barman], a server section or a model section.
bool is_known_global_key(std::string_view key);
bool is_known_server_key(std::string_view key);
bool is_known_model_key(std::string_view key);

// A value of any option, detached from a configuration. monostate = unset.
using OptionData =
    std::variant<std::monostate, bool, std::int64_t, std::string, std::vector<std::string>,
                 Interval, RetentionPolicy, TablespaceLimits>;

void set_option(ServerConfig& config, const Option& option, OptionData value);
OptionData get_option(const ServerConfig& config, const Option& option);

}  // namespace barman::config
