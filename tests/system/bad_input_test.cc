// Any bytes in the files that barman reads: each command says what is wrong with which file, or
// works; it never crashes, and it never deletes anything because of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <stdexcept>

#include "base/text.h"
#include "support/old_catalogue.h"
#include "support/temp_dir.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

using testing::AnyOf;
using testing::HasSubstr;
using testing::Not;

using Arguments = std::vector<std::string>;

enum class InputForm { content, directory, unreadable, broken_link };

struct BadInput {
  std::string name;
  InputForm form = InputForm::content;
  // From what the file holds when all is well.
  std::function<std::string(const std::string& good)> make = [](const std::string&) {
    return std::string();
  };
};

std::string with_huge_numbers(const std::string& good) {
  std::string text;
  for (const char c : good) {
    text += c >= '0' && c <= '9' ? std::string(25, '9') : std::string(1, c);
  }
  return text;
}

std::string noise() {
  std::string text;
  std::uint32_t state = 4711;
  for (int i = 0; i < 4096; ++i) {
    state = state * 1664525U + 1013904223U;
    text.push_back(static_cast<char>(state >> 24U));
  }
  return text;
}

const std::vector<BadInput>& bad_inputs() {
  static const std::vector<BadInput> inputs = {
      {.name = "empty"},
      {.name = "NULs", .make = [](const std::string&) { return std::string(1000, '\0'); }},
      {.name = "a line of 10 MB",
       .make = [](const std::string&) { return std::string(10'000'000, 'x'); }},
      {.name = "no UTF-8",
       .make = [](const std::string& good) { return "\xff\xfe\xc3(\n" + good; }},
      {.name = "cut off",
       .make = [](const std::string& good) { return good.substr(0, good.size() / 2); }},
      {.name = "huge numbers", .make = with_huge_numbers},
      {.name = "line ends of Windows",
       .make = [](const std::string& good) { return replace_all(good, "\n", "\r\n"); }},
      {.name = "noise", .make = [](const std::string&) { return noise(); }},
      {.name = "deep nesting",
       .make = [](const std::string&) { return "copy_stats=" + std::string(100'000, '['); }},
      {.name = "deep JSON", .make = [](const std::string&) { return std::string(100'000, '['); }},
      {.name = "another JSON", .make = [](const std::string&) { return "{\"version\": [1]}"; }},
      {.name = "a directory", .form = InputForm::directory},
      {.name = "unreadable", .form = InputForm::unreadable},
      {.name = "a link to nowhere", .form = InputForm::broken_link},
  };
  return inputs;
}

// The file below the directory of the test, and what it holds when all is well; without content it
// is there already.
struct Target {
  std::string name;
  std::string path;
  std::optional<std::string> good;
};

std::ostream& operator<<(std::ostream& out, const Target& target) { return out << target.name; }

const std::vector<Target>& targets() {
  const std::string kept = OldCatalogue::kKept;
  const std::string root = OldCatalogue::kRoot;
  static const std::vector<Target> all = {
      {.name = "configuration", .path = "barman.conf"},
      {.name = "automatic_configuration",
       .path = "home/.barman.auto.conf",
       .good = "[main]\ndescription = automatic\n"},
      {.name = "backup_info", .path = "home/main/meta/" + root + "-backup.info"},
      {.name = "wal_index", .path = "home/main/wals/main-xlog.db"},
      {.name = "keep_annotation", .path = "home/main/meta/" + kept + "-keep"},
      {.name = "identity",
       .path = "home/main/identity.json",
       .good = "{\"systemid\": \"7710433624940005412\", \"version\": \"15\"}\n"},
      {.name = "cron_lock", .path = "home/.main-cron.lock", .good = "1\n"},
      {.name = "index_lock", .path = "home/.main-xlogdb.lock", .good = "1\n"},
      {.name = "backup_lock", .path = "home/.main-" + root + ".lock", .good = "1\n"},
      {.name = "active_model", .path = "home/main/.active-model.auto", .good = "fast"},
      {.name = "queue",
       .path = "home/cfg_changes.queue",
       .good = "[{\"section\": \"main\", \"changes_set\": [{\"key\": \"description\", \"value\": "
               "\"x\", \"config_file\": \"y\"}]}]"},
  };
  return all;
}

class BadInputs : public testing::TestWithParam<Target> {
 protected:
  BadInputs() {
    barman_.add_section("main", {{"conninfo", "host=127.0.0.1 port=1 user=nobody"},
                                 {"streaming_conninfo", "host=127.0.0.1 port=1 user=nobody"},
                                 {"backup_method", "postgres"},
                                 {"retention_policy", "REDUNDANCY 3"},
                                 {"cluster", "main"},
                                 {"archiver", "on"}});
    barman_.add_section("fast", {{"model", "true"}, {"cluster", "main"}, {"check_timeout", "5"}});
    catalogue_.add_all();
    path_ = barman_.directory() / GetParam().path;
    good_ = GetParam().good ? *GetParam().good : read_text(path_);
  }
  ~BadInputs() override { remove_file(); }

  void remove_file() const {
    std::error_code code;
    if (fs::is_regular_file(fs::symlink_status(path_, code))) {
      fs::permissions(path_, fs::perms(0600), code);
    }
    fs::remove_all(path_, code);
  }
  void put(const BadInput& input) const {
    remove_file();
    if (input.form == InputForm::directory) return (void)fs::create_directories(path_);
    if (input.form == InputForm::broken_link) return fs::create_symlink("/nowhere/at/all", path_);
    write_text(path_, input.form == InputForm::unreadable ? good_ : input.make(good_));
    if (input.form == InputForm::unreadable) fs::permissions(path_, fs::perms::none);
  }

  // Everything that deletions take: data of backups, and WAL. The copies of metadata beside the
  // data (and they while they are written) come and go with what is saved, also by an archiver that
  // cron started and that works on while the next command has ended.
  std::set<std::string> possessions() const {
    std::set<std::string> files;
    for (const char* name : {"base", "wals"}) {
      for (const auto& entry :
           fs::recursive_directory_iterator(barman_.server_directory("main") / name)) {
        const bool counts = entry.path() != path_ && entry.path().filename() != "backup.info" &&
                            entry.path().extension() != ".tmp";
        if (counts && entry.is_regular_file()) files.insert(entry.path().string());
      }
    }
    return files;
  }

  static std::vector<Arguments> commands() {
    const std::string root = OldCatalogue::kRoot;
    return {{"list-servers"},
            {"list-backups", "main"},
            {"-f", "json", "list-backups", "all"},
            {"show-backup", "main", root},
            {"show-backup", "main", "latest"},
            {"status", "main"},
            {"check", "main"},
            {"show-servers", "main"},
            {"diagnose"},
            {"sync-info", "main"},
            {"get-wal", "main", OldCatalogue::wal(9)},
            {"list-files", "main", root},
            {"keep", "--status", "main", OldCatalogue::kKept},
            {"list-processes", "main"},
            {"delete", "--dry-run", "main", OldCatalogue::kRoot},
            {"cron", "--dry-run"},
            // It is kept, whatever the annotation says.
            {"delete", "main", OldCatalogue::kKept},
            {"check-backup", "main", root},
            {"cron"},
            {"lock-directory-cleanup"}};
  }

  // Where the file is named, if anything is said about it.
  void judge(const CommandResult& result) {
    // 126: get-wal, where it cannot tell.
    EXPECT_THAT(result.exit_code, AnyOf(0, 1, 126)) << result.err;
    for (const char* trace :
         {"Sanitizer", "runtime error", "terminate called", "std::", "json.exception",
          "filesystem error", "basic_string", "internal error", "vector::", "stoi", "bad_alloc"}) {
      EXPECT_THAT(result.err, Not(HasSubstr(trace)));
    }
    EXPECT_LT(result.err.size(), 20'000U);
    if (::getenv("BARMAN_SHOW") != nullptr && (result.exit_code != 0 || !result.err.empty())) {
      fmt::print("  {} {}\n", result.exit_code, result.err.substr(0, 600));
    }
  }

  BarmanHome barman_;
  OldCatalogue catalogue_{barman_.server_directory("main"), old_layouts().back()};
  fs::path path_;
  std::string good_;
};

std::string target_name(const testing::TestParamInfo<Target>& target) { return target.param.name; }

INSTANTIATE_TEST_SUITE_P(Files, BadInputs, testing::ValuesIn(targets()), target_name);

TEST_P(BadInputs, AreToldAndDoNoHarm) {
  const std::set<std::string> before = possessions();
  // Each is a process: every third one, others for each file, and all with BARMAN_MATRIX=full.
  const char* const matrix = std::getenv("BARMAN_MATRIX");  // NOLINT(concurrency-mt-unsafe)
  const std::size_t step = matrix != nullptr && std::string_view(matrix) == "full" ? 1 : 3;
  std::size_t count = GetParam().name.size();
  for (const BadInput& input : bad_inputs()) {
    for (const Arguments& arguments : commands()) {
      if (count++ % step != 0) continue;
      SCOPED_TRACE(input.name + ": " + join(arguments, " "));
      put(input);
      if (::getenv("BARMAN_SHOW") != nullptr) {
        fmt::print("{}: {}\n", input.name, join(arguments, " "));
      }
      judge(barman_.run(arguments));
      ASSERT_EQ(possessions(), before);
      if (HasFailure()) return;
    }
  }
  // Nothing of it stays.
  remove_file();
  write_text(path_, good_);
  const CommandResult listed = barman_.run({"list-backups", "--minimal", "main"});
  EXPECT_EQ(listed.exit_code, 0) << listed.err;
  EXPECT_EQ(split(strip(listed.out), '\n').size(), catalogue_.ids().size());
}

const BadInput& input_of(const std::string& name) {
  for (const BadInput& input : bad_inputs()) {
    if (input.name == name) return input;
  }
  throw std::logic_error(name);
}

TEST_P(BadInputs, AreNamedByWhoNeedsThem) {
  struct Complaint {
    std::string input;
    Arguments arguments;
    std::string text;  // <PATH> is that of the file
  };
  const std::string root = OldCatalogue::kRoot;
  const std::map<std::string, std::vector<Complaint>> all = {
      {"configuration",
       {{"NULs", {"list-servers"}, "configuration file \"<PATH>\", line 1"},
        {"noise", {"cron"}, "configuration file \"<PATH>\", line 1"}}},
      {"automatic_configuration",
       {{"unreadable", {"list-servers"}, "Discarding configuration file: <PATH>"}}},
      {"backup_info",
       {{"empty", {"show-backup", "main", root}, "\"<PATH>\" is incomplete: it tells no status"},
        {"cut off", {"list-backups", "main"}, "<PATH>"},
        {"noise",
         {"list-backups", "main"},
         "backup " + root + " is left out: cannot parse line 1 of \"<PATH>\""},
        {"a directory", {"show-backup", "main", root}, "<PATH>"},
        {"unreadable", {"delete", "main", root}, "<PATH>"}}},
      {"wal_index",
       {{"noise", {"list-backups", "main"}, "cannot parse line 1 of \"<PATH>\""},
        {"no UTF-8", {"sync-info", "main"}, "cannot parse line 1 of \"<PATH>\""},
        {"unreadable", {"show-backup", "main", "latest"}, "<PATH>"}}},
      {"keep_annotation",
       {{"unreadable", {"delete", "main", OldCatalogue::kKept}, "<PATH>"},
        {"a directory", {"keep", "--status", "main", OldCatalogue::kKept}, "<PATH>"}}},
      {"index_lock", {{"unreadable", {"list-backups", "main"}, "<PATH>"}}},
      {"backup_lock", {{"unreadable", {"delete", "main", root}, "<PATH>"}}},
  };
  const auto found = all.find(GetParam().name);
  if (found == all.end()) return;
  for (const Complaint& complaint : found->second) {
    SCOPED_TRACE(complaint.input + ": " + join(complaint.arguments, " "));
    put(input_of(complaint.input));
    const CommandResult result = barman_.run(complaint.arguments);
    EXPECT_THAT(result.err, HasSubstr(replace_all(complaint.text, "<PATH>", path_.string())));
  }
}

}  // namespace
}  // namespace barman::test
