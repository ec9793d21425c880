// The repository's own rules (docs/coding.md) as tests. Each failure names file and line.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/process.h"
#include "base/text.h"

namespace barman {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxFileLines = 600;
constexpr std::size_t kMaxFunctionLines = 70;

struct SourceFile {
  std::string name;    // relative to the root of the repository
  std::string folder;  // "wal" for src/wal/lsn.h, empty outside src/
  std::vector<std::string> lines;

  bool is_header() const { return name.ends_with(".h"); }
  bool is_cpp() const { return is_header() || name.ends_with(".cc"); }
  bool is_in(const std::string& directory) const { return name.starts_with(directory + "/"); }
  bool is_unit_test() const { return name.ends_with("_test.cc") || is_in("tests"); }
};

const fs::path& root() {
  static const fs::path path = BARMAN_SOURCE_DIR;
  return path;
}

bool is_foreign(const fs::path& relative) {
  static const std::set<std::string> foreign{".git", "build", "node_modules", "golden", "corpus"};
  return std::ranges::any_of(relative,
                             [](const fs::path& part) { return foreign.contains(part.string()); });
}

bool is_text(const fs::path& relative) {
  static const std::set<std::string> extensions{".cc", ".h",    ".txt", ".cmake", ".md",
                                                ".in", ".json", ".sh",  ".yml",   ""};
  return extensions.contains(relative.extension().string());
}

std::vector<SourceFile> read_repository() {
  std::vector<SourceFile> files;
  const auto walk = fs::recursive_directory_iterator(root());
  for (auto entry = fs::begin(walk); entry != fs::end(walk); ++entry) {
    const fs::path relative = entry->path().lexically_relative(root());
    if (is_foreign(relative)) {
      entry.disable_recursion_pending();
    } else if (entry->is_regular_file() && is_text(relative)) {
      SourceFile file{relative.string(), "", split(read_file(entry->path()), '\n')};
      const std::vector<std::string> parts = split(file.name, '/');
      if (parts.size() > 2 && parts[0] == "src") file.folder = parts[1];
      files.push_back(std::move(file));
    }
  }
  std::ranges::sort(files, {}, &SourceFile::name);
  return files;
}

const std::vector<SourceFile>& repository() {
  static const std::vector<SourceFile> files = read_repository();
  return files;
}

std::vector<SourceFile> cpp_files() {
  std::vector<SourceFile> files;
  std::ranges::copy_if(repository(), std::back_inserter(files), &SourceFile::is_cpp);
  return files;
}

std::string at(const SourceFile& file, std::size_t index) {
  return fmt::format("{}:{}: {}", file.name, index + 1, file.lines[index]);
}

// The order of layers has one place: the list in the root CMakeLists.txt.
std::map<std::string, int> layer_order() {
  const std::string text = read_file(root() / "CMakeLists.txt");
  const std::string begin = "foreach(folder IN ITEMS";
  const std::size_t from = text.find(begin) + begin.size();
  std::map<std::string, int> order;
  for (const std::string& folder : split_blanks(text.substr(from, text.find(')', from) - from))) {
    order.emplace(folder, static_cast<int>(order.size()));
  }
  return order;
}

std::string code_of(const std::string& line) { return line.substr(0, line.find("//")); }

void expect_no_line(const std::string& pattern, const std::string& reason,
                    const std::vector<SourceFile>& files) {
  const std::regex forbidden(pattern);
  for (const SourceFile& file : files) {
    for (std::size_t index = 0; index < file.lines.size(); ++index) {
      if (std::regex_search(file.lines[index], forbidden)) {
        ADD_FAILURE() << at(file, index) << "\n" << reason;
      }
    }
  }
}

TEST(Tidy, FoldersIncludeOnlyFoldersBeforeThem) {
  const std::map<std::string, int> order = layer_order();
  ASSERT_TRUE(order.contains("base") && order.contains("programs")) << "no list of layers found";
  const std::regex include(R"re(^#include "([a-z_]+)/)re");
  for (const SourceFile& file : cpp_files()) {
    if (file.folder.empty()) continue;
    ASSERT_TRUE(order.contains(file.folder)) << file.name << ": this folder has no layer";
    for (std::size_t index = 0; index < file.lines.size(); ++index) {
      std::smatch match;
      if (!std::regex_search(file.lines[index], match, include)) continue;
      const auto included = order.find(match[1]);
      EXPECT_TRUE(included != order.end() && included->second <= order.at(file.folder))
          << at(file, index) << "\n\"" << match[1] << "\" is not below \"" << file.folder << '"';
    }
  }
}

TEST(Tidy, OnlyTheWalArchiveMakesPathsOfItsFiles) {
  // Keys of buckets are made in catalogue/bucket_layout.cc; replication/ writes what it receives.
  const std::set<std::string> at_home{"wal_archive", "stored", "catalogue",  "config",
                                      "wal",         "cloud",  "replication"};
  std::vector<SourceFile> others;
  for (const SourceFile& file : cpp_files()) {
    const bool is_test = file.is_unit_test() || file.name.ends_with("test_support.h");
    if (!file.folder.empty() && !is_test && !at_home.contains(file.folder)) others.push_back(file);
  }
  expect_no_line(
      R"(archived_wal_path|hash_directory\(|wal_index_path|(wals|xlogdb|incoming|streaming)_directory /|-xlog\.db)",
      "ask WalArchive (wal_archive/wal_archive.h) for the file, the name or the line", others);
}

TEST(Tidy, OnlyTheBackupStoreMakesPathsOfItsFiles) {
  const std::set<std::string> at_home{"stored", "catalogue", "config"};
  std::vector<SourceFile> others;
  for (const SourceFile& file : cpp_files()) {
    const bool is_test = file.is_unit_test() || file.name.ends_with("test_support.h") ||
                         file.name == "src/postgres/backup_manifest.h";
    if (!file.folder.empty() && !is_test && !at_home.contains(file.folder)) others.push_back(file);
  }
  expect_no_line(
      R"re((base|data|tablespace)_directory\(.*\) /|(basebackups|meta)_directory /)re"
      R"re(|/ "(base|data|pgdata|annotations)"|"backup_manifest"|"-?backup\.info"|/ .*kBackupManifest)re",
      "ask BackupStore (stored/backup_store.h) or the catalogue for the directory or the file",
      others);
}

TEST(Tidy, HintsAreToldInOneWay) {
  std::vector<SourceFile> others;
  for (const SourceFile& file : cpp_files()) {
    if (file.is_in("src") && !file.is_unit_test() && !file.is_header() &&
        file.name != "src/base/error.cc") {
      others.push_back(file);
    }
  }
  expect_no_line("HINT: ", "with_hint() and its like put a hint behind its message (base/hint.h)",
                 others);
}

// One rule for what cannot be listed: it is told, and never nothing.
TEST(Tidy, DirectoriesAreListedInOnePlace) {
  std::vector<SourceFile> others;
  for (const SourceFile& file : cpp_files()) {
    const bool is_test = file.is_unit_test() || file.name.ends_with("test_support.h");
    if (!file.folder.empty() && !is_test && file.folder != "base") others.push_back(file);
  }
  expect_no_line(R"(directory_iterator|\b(fd)?opendir\(|\breaddir\(|(fs|filesystem)::is_empty\()",
                 "base/directory.h lists and walks", others);
}

TEST(Tidy, VersionsOfPostgresHaveNames) {
  std::vector<SourceFile> others;
  for (const SourceFile& file : cpp_files()) {
    if (!file.folder.empty() && !file.is_unit_test() && file.name != "src/postgres/versions.h") {
      others.push_back(file);
    }
  }
  expect_no_line(R"(\b(1[0-9]0000|90[0-9]00)\b)", "postgres/versions.h has a name for it", others);
}

// What is Barman's keeps its forms of a date; what is ours has one.
TEST(Tidy, DatesThatAreOursHaveOneForm) {
  const std::set<std::string> outputs_of_barman{
      "src/backup/delete_backup.cc",     "src/backup/take_backup.cc",
      "src/cli/command_restore.cc",      "src/cloud_cli/cloud_views.cc",
      "src/facts/diagnosis.cc",          "src/facts/server_facts.cc",
      "src/facts/status_rows.cc",        "src/output/backup_fields.cc",
      "src/output/backup_views.cc",      "src/output/diagnosis_views.cc",
      "src/output/replication_views.cc", "src/restore/recovery_target.cc",
      "src/object_store/object_store.cc"};
  const std::set<std::string> files_and_protocols{
      "src/catalogue/backup_info.cc",     "src/catalogue/last_reason.cc",
      "src/catalogue/presence.cc",        "src/object_store/s3_store.cc",
      "src/restore/recovery_settings.cc", "src/object_store/aws_signature.cc",
      "src/backup/generate_manifest.cc"};
  std::vector<SourceFile> others;
  for (const SourceFile& file : cpp_files()) {
    const bool has_reason =
        outputs_of_barman.contains(file.name) || files_and_protocols.contains(file.name);
    if (!file.folder.empty() && !file.is_unit_test() && file.folder != "base" && !has_reason) {
      others.push_back(file);
    }
  }
  expect_no_line(R"(\bformat_(iso|naive|ctime)\(|\bstrftime\(|\{:%[YDFc])",
                 "shown_time() and shown_second() are the form of what is ours (base/shown_time.h)",
                 others);
}

TEST(Tidy, SizesHaveOneForm) {
  std::vector<SourceFile> others;
  for (const SourceFile& file : cpp_files()) {
    if (!file.folder.empty() && !file.is_unit_test() && file.name != "src/base/text.cc") {
      others.push_back(file);
    }
  }
  expect_no_line(R"("[^"]*\{[^}]*\} ?([KMGT]i?B|bytes per)\b[^"]*")",
                 "human_size() is the form of sizes (base/text.h)", others);
}

// Whoever writes to a terminal asks output/terminal.h, which knows NO_COLOR and TERM.
TEST(Tidy, TerminalsAreControlledInOnePlace) {
  std::vector<SourceFile> others;
  for (const SourceFile& file : cpp_files()) {
    const bool is_output = file.name == "src/output/console_writer.cc" ||
                           file.name == "src/output/progress_display.cc" ||
                           file.name == "src/base/secrets.cc";
    if (file.is_in("src") && !file.is_unit_test() && !is_output) others.push_back(file);
  }
  expect_no_line(R"(\\033|\\x1[bB]\[|\\e\[)",
                 "colours are Reporter::colored()'s, the cursor is ProgressDisplay's", others);
}

TEST(Tidy, NoRegularExpressionsInThePrograms) {
  std::vector<SourceFile> programs;
  for (const SourceFile& file : cpp_files()) {
    if (file.is_in("src") && !file.is_unit_test()) programs.push_back(file);
  }
  expect_no_line(
      "#include <regex>|std::(basic_)?regex",
      "std::regex recurses once a character: a long line of foreign text ends the program",
      programs);
}

TEST(Tidy, ForeignHeadersStayWhereTheyBelong) {
  struct Rule {
    std::string header;
    std::set<std::string> folders;  // empty: any
    std::string wrapper;            // the only header that may include it
  };
  const std::vector<Rule> rules{
      {"libpq-fe.h", {"postgres", "replication"}, "src/postgres/libpq_handle.h"},
      {"nlohmann/", {}, ""},
      {"spdlog/", {}, ""},
      {"openssl/", {}, ""},
      {"curl/", {"object_store"}, ""},
      {"pugixml", {"object_store"}, ""}};
  for (const SourceFile& file : cpp_files()) {
    for (std::size_t index = 0; index < file.lines.size(); ++index) {
      for (const Rule& rule : rules) {
        if (!file.lines[index].starts_with("#include <" + rule.header)) continue;
        const bool is_at_home = rule.folders.empty() || rule.folders.contains(file.folder);
        EXPECT_TRUE(is_at_home || file.is_in("tests")) << at(file, index);
        EXPECT_TRUE(!file.is_header() || file.name == rule.wrapper)
            << at(file, index) << "\nnot in a header";
      }
    }
  }
}

TEST(Tidy, NoShellIsStartedBehindTheBackOfProcess) {
  const std::regex shell(R"(\b(system|popen)\s*\()");
  for (const SourceFile& file : cpp_files()) {
    for (std::size_t index = 0; index < file.lines.size(); ++index) {
      EXPECT_FALSE(std::regex_search(code_of(file.lines[index]), shell)) << at(file, index);
    }
  }
}

// The names that programs use; the table of options and the struct that it fills only list them.
std::set<std::string> names_in_use() {
  static const std::set<std::string> lists{"src/config/option_table.cc",
                                           "src/config/server_config.h"};
  std::set<std::string> names;
  for (const SourceFile& file : cpp_files()) {
    if (!file.is_in("src") || file.is_unit_test() || lists.contains(file.name)) continue;
    for (std::string line : file.lines) {
      std::ranges::replace_if(
          line, [](unsigned char c) { return !std::isalnum(c) && c != '_'; }, ' ');
      names.merge([&] {
        const std::vector<std::string> words = split_blanks(line);
        return std::set<std::string>(words.begin(), words.end());
      }());
    }
  }
  return names;
}

// barman(5) is made of the table: it says of no option that it does what nobody reads.
TEST(Tidy, OptionsThatNobodyReadSaySo) {
  const std::set<std::string> used = names_in_use();
  int count = 0;
  for (const SourceFile& file : cpp_files()) {
    if (file.name != "src/config/option_table.cc") continue;
    for (const std::string& line : file.lines) {
      constexpr std::string_view kMember = "&ServerConfig::";
      const std::size_t at = line.find(kMember);
      if (at == std::string::npos) continue;
      const std::size_t begin = at + kMember.size();
      const std::string name = line.substr(begin, line.find(',', begin) - begin);
      ++count;
      EXPECT_TRUE(used.contains(name) || line.find("without effect") != std::string::npos) << name;
    }
  }
  EXPECT_GT(count, 100);
}

TEST(Tidy, NothingIsLeftForLater) {
  // Written in two parts, so that this file keeps its own rule.
  expect_no_line(std::string(R"(\b(TO)") + R"(DO|FIX)" + R"(ME|X)" + R"(XX)\b)",
                 "open work belongs into an issue", repository());
}

TEST(Tidy, FilesAndFunctionsAreShort) {
  for (const SourceFile& file : cpp_files()) {
    EXPECT_LE(file.lines.size(), kMaxFileLines + 1) << file.name;
    if (file.is_unit_test()) continue;
    // clang-format puts begin and end of a function into the first column, "}" alone on its line.
    std::size_t begin = 0;
    for (std::size_t index = 0; index < file.lines.size(); ++index) {
      const std::string& line = file.lines[index];
      if (line == "}") {
        EXPECT_LE(index - begin + 1, kMaxFunctionLines) << at(file, begin);
      } else if (!line.empty() && std::isspace(static_cast<unsigned char>(line[0])) == 0) {
        begin = index;
      }
    }
  }
}

TEST(Tidy, HeadersAreIncludedOnce) {
  for (const SourceFile& file : cpp_files()) {
    if (!file.is_header()) continue;
    EXPECT_NE(std::ranges::find(file.lines, "#pragma once"), file.lines.end()) << file.name;
  }
}

// A reader who knows a name knows what it means wherever it stands.
TEST(Tidy, OneNameIsOneType) {
  const std::regex definition(
      R"re(^(class|struct|enum class|enum) (\w+)( final)?( : [^;]+)? \{)re");
  std::map<std::string, std::string> places;
  for (const SourceFile& file : cpp_files()) {
    if (!file.is_header() || file.folder.empty()) continue;
    for (std::size_t index = 0; index < file.lines.size(); ++index) {
      std::smatch match;
      if (!std::regex_search(file.lines[index], match, definition)) continue;
      const auto [place, is_new] = places.emplace(match[2], at(file, index));
      EXPECT_TRUE(is_new) << at(file, index) << "\n" << place->second;
    }
  }
}

TEST(Tidy, OneNameIsOneHeader) {
  std::map<std::string, std::string> places;
  for (const SourceFile& file : cpp_files()) {
    const std::string name = fs::path(file.name).filename().string();
    if (!file.is_header() || file.folder.empty() || name == "test_support.h") continue;
    const auto [place, is_new] = places.emplace(name, file.name);
    EXPECT_TRUE(is_new) << file.name << " and " << place->second;
  }
}

// What a reader needs is in the repository.
TEST(Tidy, NothingOutsideIsReferredTo) {
  expect_no_line(std::string("\\bcon") + "tract\\b",
                 "docs/ has what a reader needs of the specification", cpp_files());
}

TEST(Tidy, ProgramsAreTheOnlyPlaceOfMain) {
  for (const SourceFile& file : cpp_files()) {
    if (file.folder == "programs" || file.is_in("tests") || file.is_in("bench")) continue;
    for (std::size_t index = 0; index < file.lines.size(); ++index) {
      EXPECT_FALSE(file.lines[index].starts_with("int main(")) << at(file, index);
    }
  }
}

TEST(Tidy, NoMachineIsNamed) {
  const std::string workplace = std::string("/wo") + "rk/";
  expect_no_line(workplace + R"((main|shared|\.library))",
                 "a path of one machine; a checkout may be anywhere", repository());
  std::vector<SourceFile> installers;
  std::ranges::copy_if(repository(), std::back_inserter(installers), [](const SourceFile& file) {
    return file.is_in("scripts") || file.is_in("tests/postgres-versions") || file.name == "test" ||
           file.name == "demo" || file.name.ends_with("CMakeLists.txt") || file.is_in(".ci");
  });
  expect_no_line(
      "https?:/"
      "/",
      "packages come from where the machine is set up to get them", installers);
}

// What GitHub and mkdocs make of a heading.
std::string anchor_of(const std::string& heading) {
  std::string anchor;
  for (const char letter : heading) {
    const unsigned char byte = static_cast<unsigned char>(letter);
    if (std::isalnum(byte) != 0 || letter == '-' || letter == '_') {
      anchor += static_cast<char>(std::tolower(byte));
    } else if (letter == ' ') {
      anchor += '-';
    }
  }
  return anchor;
}

bool has_anchor(const fs::path& page, const std::string& anchor) {
  const std::vector<std::string> lines = split(read_file(page), '\n');
  return std::ranges::any_of(lines, [&](const std::string& line) {
    return line.starts_with('#') &&
           anchor_of(std::string(strip(line.substr(line.find_first_not_of('#'))))) == anchor;
  });
}

TEST(Tidy, LinksOfDocumentsLeadSomewhere) {
  const std::regex link(R"(\]\(([^)#\s]*)(#([^)\s]*))?\))");
  for (const SourceFile& file : repository()) {
    if (!file.name.ends_with(".md")) continue;
    for (std::size_t index = 0; index < file.lines.size(); ++index) {
      const std::string& line = file.lines[index];
      for (std::sregex_iterator match(line.begin(), line.end(), link), end; match != end; ++match) {
        const std::string target = (*match)[1];
        if (target.find(':') != std::string::npos) continue;  // another site
        if (target.starts_with("screenshots/")) continue;     // scripts/make-screenshots draws them
        const fs::path page =
            target.empty() ? root() / file.name : (root() / file.name).parent_path() / target;
        EXPECT_TRUE(fs::exists(page)) << at(file, index);
        const std::string anchor = (*match)[3];
        if (anchor.empty() || !fs::is_regular_file(page)) continue;
        EXPECT_TRUE(has_anchor(page, anchor)) << at(file, index);
      }
    }
  }
}

TEST(Tidy, SourcesAreFormatted) {
  const ProcessResult version = run_process({.argv = {"clang-format", "--version"}});
  if (version.standard_output.find("version 14.") == std::string::npos) {
    GTEST_SKIP() << "the format is that of clang-format 14, here is " << version.standard_output;
  }
  ProcessRequest request{.argv = {"clang-format", "--dry-run", "-Werror", "--style=file"}};
  for (const SourceFile& file : cpp_files()) request.argv.push_back((root() / file.name).string());
  const ProcessResult result = run_process(request);
  EXPECT_EQ(result.exit_code, 0) << result.standard_error.substr(0, 4000)
                                 << "\nRun clang-format -i on these files.";
}

}  // namespace
}  // namespace barman
