#include "output/json_copy.h"

#include <cstdio>
#include <memory>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/json_text.h"
#include "base/text.h"
#include "config/rendering.h"
#include "output/chunked_text.h"
#include "output/json_value.h"

namespace barman::output {
namespace {

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

std::string without_secret(std::string_view option, std::string text) {
  return config::mask_secret_option(option, std::move(text));
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
