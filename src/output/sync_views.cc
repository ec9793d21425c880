#include "output/sync_views.h"

#include <algorithm>
#include <cstdio>
#include <memory>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/text.h"
#include "output/backup_fields.h"
#include "output/server_views.h"
#include "version.h"

namespace barman::output {
namespace {

constexpr std::size_t kChunk = std::size_t{1} << 18;
constexpr JsonStyle kStyle = {.indent = 4, .order = KeyOrder::as_added};

class ChunkedText {
 public:
  explicit ChunkedText(const Fd& out) : out_(out) {}
  std::string& text() { return text_; }
  void flush_if_full() {
    if (text_.size() >= kChunk) flush();
  }
  void flush() {
    write_full(out_, as_bytes(text_), "standard output");
    text_.clear();
  }

 private:
  const Fd& out_;
  std::string text_;
};

// An option without what must not be shown. A command that prints a passphrase may hold it.
std::string without_secret(std::string_view option, std::string text) {
  if (option == "encryption_passphrase_command" && !text.empty()) return "*REDACTED*";
  return config::mask_secret_option(option, std::move(text));
}

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

void append_wal(std::string& out, const catalogue::WalIndexLine& line) {
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

// Writes JSON text from the events of a parser.
class Copier final : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit Copier(ChunkedText& out) : out_(out) {}

  bool null() override { return scalar("null"); }
  bool boolean(bool value) override { return scalar(value ? "true" : "false"); }
  bool number_integer(number_integer_t value) override { return scalar(fmt::to_string(value)); }
  bool number_unsigned(number_unsigned_t value) override { return scalar(fmt::to_string(value)); }
  bool number_float(number_float_t value, const string_t&) override { return scalar(dump(value)); }
  bool string(string_t& value) override {
    begin_value();
    append_json_string(out_.text(), mask_passwords(without_secret(key_, std::move(value))));
    return true;
  }
  bool binary(binary_t&) override { return false; }
  bool key(string_t& value) override {
    separate();
    append_json_string(out_.text(), value);
    out_.text() += ": ";
    follows_key_ = true;
    key_ = std::move(value);
    return true;
  }
  bool start_object(std::size_t) override { return open('{'); }
  bool end_object() override { return close('}'); }
  bool start_array(std::size_t) override { return open('['); }
  bool end_array() override { return close(']'); }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override {
    return false;
  }

 private:
  void break_line() {
    out_.flush_if_full();
    out_.text().push_back('\n');
    out_.text().append(counts_.size() * 4, ' ');
  }
  void separate() {
    if (counts_.empty()) return;
    if (counts_.back()++ > 0) out_.text().push_back(',');
    break_line();
  }
  void begin_value() {
    if (!follows_key_) separate();
    follows_key_ = false;
  }
  bool scalar(std::string_view text) {
    begin_value();
    out_.text() += text;
    return true;
  }
  bool open(char bracket) {
    begin_value();
    out_.text().push_back(bracket);
    counts_.push_back(0);
    return true;
  }
  bool close(char bracket) {
    const bool is_empty = counts_.back() == 0;
    counts_.pop_back();
    if (!is_empty) break_line();
    out_.text().push_back(bracket);
    return true;
  }

  ChunkedText& out_;
  // Members so far of each container that is open.
  std::vector<std::uint64_t> counts_;
  bool follows_key_ = false;
  std::string key_;
};

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

bool begins_with_brace(std::FILE* file) {
  for (;;) {
    const int c = std::fgetc(file);
    if (c != ' ' && c != '\n' && c != '\t' && c != '\r') return c == '{';
  }
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
      [&](const catalogue::WalIndexLine& line) {
        if (!facts.wals.includes(line.name)) return catalogue::Visit::proceed;
        chunks.text() += written++ == 0 ? "\n" : ",\n";
        append_wal(chunks.text(), line);
        chunks.flush_if_full();
        return catalogue::Visit::proceed;
      },
      facts.wals.begin_offset);
  if (written > 0) chunks.text() += "\n    ";
  chunks.text() += frame.substr(begin);
  chunks.flush();
}

void copy_json_object(const Fd& out, Fd in, std::string_view name_of_input) {
  const std::unique_ptr<std::FILE, CloseFile> file(::fdopen(in.get(), "r"));
  if (file == nullptr) throw_errno("cannot read " + std::string(name_of_input));
  in.release();
  const bool is_object = begins_with_brace(file.get());
  std::rewind(file.get());
  if (!is_object || !nlohmann::json::accept(file.get())) {
    throw Error(ErrorKind::remote, fmt::format("{} is not a JSON object", name_of_input));
  }
  std::rewind(file.get());
  ChunkedText chunks(out);
  Copier copier(chunks);
  nlohmann::json::sax_parse(file.get(), &copier);
  chunks.flush();
}

}  // namespace barman::output
