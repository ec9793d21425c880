#include <fmt/format.h>

#include "output/writer.h"

namespace barman::output {
namespace {

class JsonWriter final : public Writer {
 public:
  JsonWriter(OutputStreams& streams, bool is_quiet, bool is_debug)
      : streams_(streams), is_quiet_(is_quiet), is_debug_(is_debug) {}

  void message(MessageLevel level, const std::string& text) override {
    if (level == MessageLevel::debug && !is_debug_) return;
    messages_.at(static_cast<std::size_t>(level)).push_back(text);
  }

  void add_json(std::string_view key, JsonValue&& value) override {
    document_.member(key) = std::move(value);
  }

  std::optional<int> finish(bool) override {
    if (is_quiet_) return std::nullopt;
    for (std::size_t i = 0; i < messages_.size(); ++i) {
      if (messages_.at(i).empty()) continue;
      const std::string_view name = level_name(static_cast<MessageLevel>(i));
      document_.add(fmt::format("_{}", name), messages_.at(i));
    }
    streams_.standard_output.write(dump(document_));
    return std::nullopt;
  }

 private:
  OutputStreams& streams_;
  bool is_quiet_;
  bool is_debug_;
  std::array<std::vector<std::string>, kMessageLevelCount> messages_;
  JsonValue document_ = JsonValue::object();
};

}  // namespace

std::unique_ptr<Writer> make_json_writer(OutputStreams& streams, bool is_quiet, bool is_debug) {
  return std::make_unique<JsonWriter>(streams, is_quiet, is_debug);
}

}  // namespace barman::output
