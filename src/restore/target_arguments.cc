#include "restore/target_arguments.h"

#include <string>

#include <fmt/format.h>

#include "base/error.h"

namespace barman::restore {

using command_line::ParsedArguments;

std::optional<wal::TimelineTarget> read_timeline_target(const ParsedArguments& arguments) {
  const std::optional<std::string> text = arguments.find("target_tli");
  if (!text) return std::nullopt;
  const std::optional<wal::TimelineTarget> target = wal::parse_timeline_target(*text);
  if (!target) {
    throw Error(ErrorKind::usage, fmt::format("Invalid timeline '{}'", *text),
                "Give a positive number, 'current' or 'latest'.");
  }
  return target;
}

TargetRequest read_target(const ParsedArguments& arguments) {
  return {.time = arguments.find("target_time"),
          .xid = arguments.find("target_xid"),
          .lsn = arguments.find("target_lsn"),
          .name = arguments.find("target_name"),
          .immediate = arguments.is_set("target_immediate"),
          .timeline = read_timeline_target(arguments),
          .exclusive = arguments.is_set("exclusive"),
          .action = arguments.find("target_action")};
}

}  // namespace barman::restore
