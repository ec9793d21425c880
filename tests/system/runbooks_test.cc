// Pages of the documentation, done as they stand: what one is told to do works, and what one should
// see is what one sees. support/page.h says what a page may hold.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/text.h"
#include "support/eventually.h"
#include "support/page.h"
#include "support/postgres_server.h"
#include "support/temp_dir.h"
#include "support/two_hosts.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds kPageTimeout{180};  // cron, a receiver, a recovery
const fs::path kRepository = BARMAN_REPOSITORY;

class PageRun {
 public:
  explicit PageRun(const fs::path& file)
      : file_(file), page_(load_page(file)), hosts_(page_.setup, page_.hosts) {}

  void run() {
    for (const PageStep& step : page_.steps) {
      take(step);
      if (testing::Test::HasFailure()) return;
    }
  }

 private:
  std::string with_values(std::string text) const {
    for (const auto& [shown, value] : values_) text = replace_all(text, shown, value);
    return text;
  }

  void take(PageStep step) {
    step.command = with_values(step.command);
    step.input = with_values(step.input);
    for (std::string& line : step.expected) line = with_values(line);
    CommandResult result;
    bool is_good = false;
    const auto attempt = [&] {
      result = hosts_.run(step.user, step.host, step.command, step.input);
      is_good = (result.exit_code != 0) == step.fails && is_as_shown(step, result.out);
      return is_good;
    };
    if (step.is_repeated) {
      eventually(attempt, kPageTimeout);
    } else {
      attempt();
    }
    if (!step.value.empty()) values_[step.value] = std::string(strip(result.out));
    if (is_good) return;
    std::string shown;
    for (const std::string& line : step.expected) shown += "    " + line + "\n";
    ADD_FAILURE() << fmt::format("{}:{}: {}@{}: {}\n{}ends with {}, and prints\n{}\ninstead of\n{}",
                                 file_.string(), step.line, step.user, step.host, step.command,
                                 step.input, result.exit_code, result.out, shown);
  }

  fs::path file_;
  Page page_;
  TwoHosts hosts_;
  std::map<std::string, std::string> values_;
};

std::vector<std::string> pages_in(const fs::path& directory) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(kRepository / directory)) {
    const std::string name = entry.path().stem().string();
    if (entry.path().extension() == ".md" && name != "index") names.push_back(name);
  }
  std::ranges::sort(names);
  return names;
}

std::vector<std::string> runbooks() { return pages_in("docs/runbooks"); }

// Other pages that name hosts to be run on.
std::vector<std::string> documents() {
  std::vector<std::string> names = pages_in("docs");
  std::erase_if(names, [](const std::string& name) {
    return read_text(kRepository / "docs" / (name + ".md")).find("\n<!-- needs: ") ==
           std::string::npos;
  });
  return names;
}

std::string name_of(const testing::TestParamInfo<std::string>& info) {
  return replace_all(info.param, "-", "_");
}

bool is_shown(const std::vector<std::string>& lines, const std::string& output,
              bool is_exact = false) {
  PageStep step;
  step.expected = lines;
  step.is_exact = is_exact;
  return is_as_shown(step, output);
}

TEST(Page, ShowsWhatIsPrintedButForItsNumbers) {
  EXPECT_TRUE(is_shown({}, "whatever"));
  EXPECT_TRUE(is_shown({"WAL 000000010000000000000002 at 0/3000110, 16.0 MiB in 2 seconds"},
                       "WAL 0000000200000000000000AB at 1F/30, 927 B in 1 second\n"));
  EXPECT_TRUE(is_shown({"main 20261130T023907 - F - Mon Nov 30 02:39:07 2026 - Size: 38.1 MiB"},
                       "main 20270101T000000 - F - Fri Jan  1 00:00:00 2027 - Size: 1.2 GiB\n"));
  EXPECT_FALSE(is_shown({"receive-wal running: OK"}, "receive-wal running: FAILED"));
  EXPECT_FALSE(is_shown({"one line"}, "one line\nand another\n"));
  EXPECT_FALSE(is_shown({"  1000"}, "  1001", true));
}

TEST(Page, LeavesOutWhatDoesNotMatter) {
  EXPECT_TRUE(is_shown({"...", "result: OK"}, "one\ntwo\nresult: OK\n"));
  EXPECT_TRUE(is_shown({"result: OK", "..."}, "result: OK\n"));
  EXPECT_TRUE(is_shown({"WARNING: WAL from ... has not been received..."},
                       "WARNING: WAL from here to there has not been received, and will not be"));
  EXPECT_FALSE(is_shown({"...", "result: OK"}, "result: OK\nand more\n"));
}

TEST(Page, IsReadAsCommandsAndWhatTheyPrint) {
  const TempDir place;
  const fs::path file = place.path() / "page.md";
  write_text(
      file,
      "<!-- needs: ssh on backup pg new -->\nText.\n\n<!-- fails -->\n```console\n"
      "barman@backup$ barman check \\\n  main\nServer main:\n...\npostgres=# SELECT 1;\n```\n"
      "<!-- stdin root@pg# tee /etc/x -->\n```\none\n```\n<!-- not run: no reason "
      "-->\n```console\nroot@pg# "
      "false\n```\n");
  const Page page = load_page(file);
  EXPECT_EQ(page.setup, "ssh");
  EXPECT_EQ(page.hosts, (std::vector<std::string>{"backup", "pg", "new"}));
  ASSERT_EQ(page.steps.size(), 3U);
  EXPECT_EQ(page.steps[0].command, "barman check \\\n  main");
  EXPECT_EQ(page.steps[0].expected, (std::vector<std::string>{"Server main:", "..."}));
  EXPECT_TRUE(page.steps[0].fails);
  EXPECT_EQ(page.steps[1].input, "SELECT 1;\n");
  EXPECT_EQ(page.steps[2].user + "@" + page.steps[2].host, "root@pg");
  EXPECT_EQ(page.steps[2].input, "one\n");
  write_text(file, "<!-- untill -->\n");
  EXPECT_THROW(load_page(file), Error);
  write_text(file, "```\nwhat nobody runs\n```\n");
  EXPECT_THROW(load_page(file), Error);
}

TEST(Runbooks, AreAllInTheirIndex) {
  const std::string index = read_text(kRepository / "docs" / "runbooks" / "index.md");
  for (const std::string& name : runbooks()) {
    EXPECT_NE(index.find("(" + name + ".md)"), std::string::npos) << name;
  }
}

TEST(Documents, HoldNoBlockThatNobodyRunsWithoutAReason) {
  std::vector<fs::path> files = {"README.md"};
  for (const fs::path& directory : {"docs", "docs/runbooks"}) {
    for (const std::string& name : pages_in(directory)) files.push_back(directory / (name + ".md"));
  }
  for (const fs::path& file : files) EXPECT_NO_THROW(load_page(kRepository / file)) << file;
}

TEST(Documents, AreInTheIndexAndOnTheSite) {
  const std::string index = read_text(kRepository / "docs" / "index.md");
  const std::string site = read_text(kRepository / "mkdocs.yml");
  for (const std::string& name : pages_in("docs")) {
    EXPECT_NE(index.find("(" + name + ".md)"), std::string::npos) << name;
    EXPECT_NE(site.find(": " + name + ".md\n"), std::string::npos) << name;
  }
}

// What a reader sees of it: no comments, no fences, no empty lines.
TEST(Runbooks, AreAtMostAScreen) {
  for (const std::string& name : runbooks()) {
    int shown = 0;
    bool is_hidden = false;
    for (const std::string& line :
         split(read_text(kRepository / "docs" / "runbooks" / (name + ".md")), '\n')) {
      if (line == "<!--") is_hidden = true;
      if (!is_hidden && !line.empty() && !line.starts_with("<!-- ") && !line.starts_with("```")) {
        ++shown;
      }
      if (line == "-->") is_hidden = false;
    }
    EXPECT_LE(shown, 50) << name;
  }
}

class Runbook : public testing::TestWithParam<std::string> {};

TEST_P(Runbook, DoesWhatItSays) {
  if (!TwoHosts::is_available()) GTEST_SKIP() << TwoHosts::kUnavailable;
  PageRun(kRepository / "docs" / "runbooks" / (GetParam() + ".md")).run();
}

INSTANTIATE_TEST_SUITE_P(Pages, Runbook, testing::ValuesIn(runbooks()), name_of);

class Document : public testing::TestWithParam<std::string> {};

TEST_P(Document, DoesWhatItSays) {
  if (!TwoHosts::is_available()) GTEST_SKIP() << TwoHosts::kUnavailable;
  PageRun(kRepository / "docs" / (GetParam() + ".md")).run();
}

INSTANTIATE_TEST_SUITE_P(Pages, Document, testing::ValuesIn(documents()), name_of);

TEST(Readme, LeadsToARestoredDatabase) {
  if (!TwoHosts::is_available()) GTEST_SKIP() << TwoHosts::kUnavailable;
  PageRun(kRepository / "README.md").run();
}

// "instead of the last two lines", says the README.
TEST(Readme, HasTheGrantsOfOldVersions) {
  std::vector<std::vector<std::string>> blocks;
  bool is_inside = false;
  for (const std::string& line : split(read_text(kRepository / "README.md"), '\n')) {
    if (line.starts_with("```")) {
      is_inside = line == "```sql";
      if (is_inside) blocks.emplace_back();
    } else if (is_inside && !strip(line).empty()) {
      blocks.back().push_back(line);
    }
  }
  ASSERT_EQ(blocks.size(), 2U);
  std::vector<std::string> statements(blocks[0].begin(), blocks[0].end() - 2);
  statements.insert(statements.end(), blocks[1].begin(), blocks[1].end());
  for (const int major : {13, 14}) {
    const PostgresServer server({.major = major});
    for (const std::string& statement : statements) {
      // Roles of that name are there.
      EXPECT_NO_THROW(server.query(replace_all(statement, "barman", "new_barman"))) << statement;
    }
  }
}

}  // namespace
}  // namespace barman::test
