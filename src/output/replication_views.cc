#include "output/replication_views.h"

#include <array>
#include <cctype>
#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"

namespace barman::output {
namespace {

using postgres::ReplicationClient;
using postgres::ReplicationClientKind;
using postgres::ReplicationStatus;

std::string_view title_of(ReplicationClientKind kind) {
  switch (kind) {
    case ReplicationClientKind::all:
      return "streaming clients";
    case ReplicationClientKind::hot_standby:
      return "hot standby servers";
    case ReplicationClientKind::wal_streamer:
      break;
  }
  return "WAL streamers";
}

// The first letter in upper case, the others in lower case.
std::string capitalised(std::string_view text) {
  std::string result = to_lower(text);
  if (!result.empty()) result.replace(0, 1, to_upper(result.substr(0, 1)));
  return result;
}

bool is_standby(const ReplicationClient& client) { return client.replay_lsn.has_value(); }

std::string lsn_or_dash(const std::optional<wal::Lsn>& lsn) {
  return lsn ? wal::format_lsn(*lsn) : "-";
}
std::string text_or_dash(const std::optional<std::string>& text) { return text.value_or("-"); }

std::optional<std::int64_t> distance(const std::optional<wal::Lsn>& lsn,
                                     const std::optional<wal::Lsn>& current) {
  if (!lsn || !current) return std::nullopt;
  return static_cast<std::int64_t>(lsn->value - current->value);
}

std::string client_name(const ReplicationClient& client) {
  std::string name =
      client.sync_priority.value_or(0) > 0 ? fmt::format("#{} ", *client.sync_priority) : "";
  name += capitalised(client.sync_state.value_or("async"));
  return name + (is_standby(client) ? " standby" : " WAL streamer");
}

// How far the client is, as the highest stage that has nothing outstanding.
std::string sync_stage(const ReplicationClient& client, const std::optional<wal::Lsn>& current) {
  const auto is_level = [&](const std::optional<wal::Lsn>& lsn) {
    return distance(lsn, current) == 0;
  };
  const int stages = is_standby(client) ? 5 : 3;
  if (is_standby(client) && is_level(client.replay_lsn)) return "5/5 Hot standby (max)";
  if (is_standby(client) && is_level(client.flush_lsn)) return "4/5 2-safe";
  if (is_level(client.write_lsn)) return fmt::format("3/{} Remote write", stages);
  if (is_level(client.sent_lsn)) return fmt::format("2/{} WAL Sent (min)", stages);
  return fmt::format("1/{} 1-safe", stages);
}

using Positions = std::array<std::pair<std::string_view, std::optional<wal::Lsn>>, 4>;
Positions positions_of(const ReplicationClient& client) {
  return {{{"Sent", client.sent_lsn},
           {"Write", client.write_lsn},
           {"Flush", client.flush_lsn},
           {"Replay", client.replay_lsn}}};
}

void write_client(Reporter& reporter, const ReplicationClient& client,
                  const std::optional<wal::Lsn>& current, std::size_t number) {
  const auto row = [&reporter](std::string_view label, std::string_view value) {
    reporter.result_line(fmt::format("     {:<16}: {}", label, value));
  };
  reporter.result_line("");
  reporter.result_line(fmt::format("  {}. {}", number, client_name(client)));
  row("Application name", text_or_dash(client.application_name));
  row("Sync stage", sync_stage(client, current));
  if (client.client_address) {
    row("Communication", "TCP/IP");
    row("IP Address",
        fmt::format("{} / Port: {} / Host: {}", *client.client_address,
                    client.client_port.value_or(0), text_or_dash(client.client_hostname)));
  } else {
    row("Communication", "Unix domain socket");
  }
  row("User name", text_or_dash(client.user));
  row("Current state",
      fmt::format("{} ({})", text_or_dash(client.state), text_or_dash(client.sync_state)));
  if (client.slot_name) row("Replication slot", *client.slot_name);
  row("WAL sender PID", fmt::to_string(client.pid));
  row("Started at", client.backend_start ? format_iso(*client.backend_start) : "-");
  if (client.backend_xmin) row("Standby's xmin", *client.backend_xmin);
  for (const auto& [name, lsn] : positions_of(client)) {
    if (!lsn) continue;
    const std::optional<std::int64_t> bytes = distance(lsn, current);
    reporter.result_line(fmt::format("     {:<11}: {}{}", fmt::format("{} LSN", name),
                                     wal::format_lsn(*lsn),
                                     bytes ? fmt::format(" (diff: {})", human_size(*bytes)) : ""));
  }
}

void write_minimal_client(Reporter& reporter, const ReplicationClient& client, std::size_t number) {
  const std::string who =
      fmt::format("{}@{}", text_or_dash(client.user), client.client_address.value_or("socket"));
  const std::string application = text_or_dash(client.application_name);
  const std::int64_t priority = client.sync_priority.value_or(0);
  if (!is_standby(client)) {
    reporter.result_line(fmt::format("  {}. W) {} S:{} W:{} P:{} AN:{}", number, who,
                                     lsn_or_dash(client.sent_lsn), lsn_or_dash(client.write_lsn),
                                     priority, application));
    return;
  }
  reporter.result_line(fmt::format("  {}. {}) {} S:{} F:{} R:{} P:{} AN:{}", number,
                                   to_upper(client.sync_state.value_or("async").substr(0, 1)), who,
                                   lsn_or_dash(client.sent_lsn), lsn_or_dash(client.flush_lsn),
                                   lsn_or_dash(client.replay_lsn), priority, application));
}

JsonValue lsn_json(const std::optional<wal::Lsn>& lsn) {
  return lsn ? JsonValue(wal::format_lsn(*lsn)) : JsonValue();
}

JsonValue client_json(const ReplicationClient& client, const std::optional<wal::Lsn>& current) {
  JsonValue json = JsonValue::object();
  json.add("name", client_name(client));
  json.add("application_name", client.application_name);
  json.add("sync_stage", sync_stage(client, current));
  json.add("communication", client.client_address ? "TCP/IP" : "Unix domain socket");
  if (client.client_address) {
    json.add("ip_address", *client.client_address);
    json.add("port", client.client_port);
    json.add("host", client.client_hostname);
  }
  json.add("user_name", client.user);
  json.add("current_state", client.state);
  json.add("current_sync_state", client.sync_state);
  if (client.slot_name) json.add("replication_slot", *client.slot_name);
  json.add("wal_sender_pid", client.pid);
  json.add("started_at",
           client.backend_start ? JsonValue(format_iso(*client.backend_start)) : JsonValue());
  if (client.backend_xmin) json.add("standbys_xmin", *client.backend_xmin);
  for (const auto& [name, lsn] : positions_of(client)) {
    if (!lsn) continue;
    const std::string key = to_lower(name) + "_lsn";
    json.add(key, wal::format_lsn(*lsn));
    const std::optional<std::int64_t> bytes = distance(lsn, current);
    if (!bytes) continue;
    json.add(key + "_diff", human_size(*bytes));
    json.add(key + "_diff_bytes", *bytes);
  }
  return json;
}

JsonValue minimal_client_json(const ReplicationClient& client) {
  JsonValue json = JsonValue::object();
  json.add("user_name", client.user);
  json.add("client_addr", client.client_address.value_or("socket"));
  json.add("sent_lsn", lsn_json(client.sent_lsn));
  json.add("sync_priority", client.sync_priority);
  json.add("application_name", client.application_name);
  if (!is_standby(client)) {
    json.add("write_lsn", lsn_json(client.write_lsn));
    return json;
  }
  json.add("sync_state", to_upper(client.sync_state.value_or("async").substr(0, 1)));
  json.add("flush_lsn", lsn_json(client.flush_lsn));
  json.add("replay_lsn", lsn_json(client.replay_lsn));
  return json;
}

JsonValue flow_json(const facts::WalFlow& flow) {
  JsonValue json = JsonValue::object();
  if (flow.is_receiver_running) json.add("receiver", facts::describe_receiver(flow));
  if (flow.stream) {
    json.add("received_lsn", lsn_json(flow.stream->written));
    json.add("flushed_lsn", lsn_json(flow.stream->flushed));
  }
  json.add("archived_wal", flow.archived_name);
  json.add("queue_files", static_cast<std::int64_t>(flow.queue().files));
  json.add("queue_bytes", static_cast<std::int64_t>(flow.queue().size_bytes));
  const auto number = [](const std::optional<double>& value) {
    return value ? JsonValue(*value) : JsonValue();
  };
  json.add("archived_wals_per_second", number(flow.archived_per_second));
  json.add("queue_drained_in_seconds", number(flow.seconds_to_drain()));
  return json;
}

void write_flow(Reporter& reporter, const facts::WalFlow& flow) {
  reporter.result_line("");
  const std::string receiver = facts::describe_receiver(flow);
  if (!receiver.empty()) reporter.result_line("  WAL receiver: " + receiver);
  reporter.result_line("  WAL positions: " + facts::describe_positions(flow));
  reporter.result_line("  WAL queue: " + facts::describe_queue(flow));
}

JsonValue status_json(const ReplicationStatus& status, std::string_view title, ListStyle style) {
  JsonValue clients = JsonValue::array();
  for (const ReplicationClient& client : status.clients) {
    clients.push_back(style == ListStyle::minimal ? minimal_client_json(client)
                                                  : client_json(client, status.current_lsn));
  }
  JsonValue json = JsonValue::object();
  json.add("server_lsn", lsn_json(status.current_lsn));
  json.add(to_lower(replace_all(std::string(title), " ", "_")), std::move(clients));
  if (status.clients.empty()) json.add("standby_info", fmt::format("No {} attached", title));
  return json;
}

}  // namespace

void write_replication_status(Reporter& reporter, std::string_view server,
                              const ReplicationStatus& status, ReplicationClientKind kind,
                              ListStyle style, const std::optional<facts::WalFlow>& flow) {
  const std::string_view title = title_of(kind);
  const bool is_minimal = style == ListStyle::minimal;
  JsonValue document = status_json(status, title, style);
  if (flow && !is_minimal) document.add("wal_flow", flow_json(*flow));
  reporter.add_json(server, std::move(document));
  if (is_minimal && status.current_lsn) {
    reporter.result_line(fmt::format("{} for master '{}' (LSN @ {}):", capitalised(title), server,
                                     wal::format_lsn(*status.current_lsn)));
  } else if (is_minimal) {
    reporter.result_line(fmt::format("{} for slave '{}':", capitalised(title), server));
  } else {
    reporter.result_line(fmt::format("Status of {} for server '{}':", title, server));
    if (status.current_lsn) {
      reporter.result_line("  Current LSN on master: " + wal::format_lsn(*status.current_lsn));
    }
  }
  if (status.clients.empty()) {
    reporter.result_line(fmt::format("  No {} attached", title));
  } else if (!is_minimal) {
    reporter.result_line(fmt::format("  Number of {}: {}", title, status.clients.size()));
  }
  for (std::size_t i = 0; i < status.clients.size(); ++i) {
    if (is_minimal) {
      write_minimal_client(reporter, status.clients[i], i + 1);
    } else {
      write_client(reporter, status.clients[i], status.current_lsn, i + 1);
    }
  }
  if (flow && !is_minimal) write_flow(reporter, *flow);
}

}  // namespace barman::output
