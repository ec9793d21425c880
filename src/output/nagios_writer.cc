#include <algorithm>

#include <fmt/format.h>

#include "base/secrets.h"
#include "base/text.h"
#include "output/writer.h"

namespace barman::output {
namespace {

constexpr int kExitCritical = 2;

std::string failure_summary(const NagiosServer& server) {
  std::vector<std::string> labels;
  for (const auto& failure : server.failures) labels.push_back(failure.label);
  return fmt::format("{} FAILED: {}", server.name, join(labels, ", "));
}

std::string ready_text(const std::vector<std::string>& healthy) {
  constexpr std::string_view kReady = "Ready to serve the Espresso backup for";
  if (healthy.empty()) return "No server configured";
  if (healthy.size() == 1) return fmt::format("{} {}", kReady, healthy.front());
  return fmt::format("{} {} servers * {}", kReady, healthy.size(), join(healthy, " * "));
}

// Collects the servers and prints one status line, plus one line per failure and per error when
// critical. Other messages are dropped: a Nagios plugin has one voice.
class NagiosWriter final : public Writer {
 public:
  explicit NagiosWriter(OutputStreams& streams) : streams_(streams) {}

  void message(MessageLevel level, const std::string& text) override {
    if (level == MessageLevel::error || level == MessageLevel::exception)
      errors_ += "\nERROR: " + replace_all(text, "\n", " ");
  }
  void add_nagios(NagiosServer&& server) override { servers_.push_back(std::move(server)); }

  std::optional<int> finish(bool has_failed) override {
    const auto is_failing = [](const NagiosServer& s) { return !s.failures.empty(); };
    const bool has_failing_server = std::any_of(servers_.begin(), servers_.end(), is_failing);
    if (has_failed && !has_failing_server) {
      print("BARMAN CRITICAL - Global configuration errors" + errors_);
      return kExitCritical;
    }
    if (has_failed) {
      print_critical();
      return kExitCritical;
    }
    print_ok();
    return 0;
  }

 private:
  void print_ok() {
    std::vector<std::string> healthy;
    std::string ignored;
    for (const NagiosServer& server : servers_) {
      if (server.failures.empty()) {
        healthy.push_back(server.name);
      } else {
        ignored += fmt::format(" * IGNORING: {}", server.name);
      }
    }
    // Numbers belong to a server that is watched: where each one is ignored, there are none.
    const std::string numbers = healthy.empty() ? std::string() : performance_data();
    print(fmt::format("BARMAN OK - {}{}{}", ready_text(healthy), ignored, numbers));
  }

  void print_critical() {
    std::vector<std::string> summaries;
    std::string details;
    for (const NagiosServer& server : servers_) {
      if (server.failures.empty()) continue;
      summaries.push_back(failure_summary(server));
      for (const auto& failure : server.failures) {
        details += fmt::format("\n{}.{}: FAILED", server.name, failure.label);
        if (!failure.hint.empty()) details += fmt::format(" ({})", failure.hint);
      }
    }
    const std::string who =
        servers_.size() == 1
            ? fmt::format("server {} has issues", servers_.front().name)
            : fmt::format("{} server out of {} have issues", summaries.size(), servers_.size());
    print(fmt::format("BARMAN CRITICAL - {} * {}{}{}", who, join(summaries, " * "),
                      performance_data(), details + errors_));
  }

  std::string performance_data() const {
    std::vector<std::string> values;
    for (const NagiosServer& server : servers_) {
      values.push_back(fmt::format("{0}={1}B {0}_wals={2}B", server.name, server.backup_size_bytes,
                                   server.wal_size_bytes));
    }
    return values.empty() ? std::string() : "|" + join(values, " ");
  }

  void print(std::string_view text) {
    streams_.standard_output.write(visible_text(mask_passwords(text)) + "\n");
  }

  OutputStreams& streams_;
  std::vector<NagiosServer> servers_;
  std::string errors_;  // a line each
};

}  // namespace

std::unique_ptr<Writer> make_nagios_writer(OutputStreams& streams) {
  return std::make_unique<NagiosWriter>(streams);
}

}  // namespace barman::output
