// Pages of the documentation, done as they stand: what one is told to do works, and what one should
// see is what one sees. support/page.h says what a page may hold.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/text.h"
#include "support/eventually.h"
#include "support/page.h"
#include "support/two_hosts.h"

namespace barman::test {
namespace {

namespace fs = std::filesystem;

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
      eventually(attempt);
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

std::vector<std::string> runbooks() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(kRepository / "docs" / "runbooks")) {
    const std::string name = entry.path().stem().string();
    if (entry.path().extension() == ".md" && name != "index") names.push_back(name);
  }
  std::ranges::sort(names);
  return names;
}

std::string name_of(const testing::TestParamInfo<std::string>& info) {
  return replace_all(info.param, "-", "_");
}

class Runbook : public testing::TestWithParam<std::string> {};

TEST_P(Runbook, DoesWhatItSays) {
  if (!TwoHosts::is_available()) GTEST_SKIP() << TwoHosts::kUnavailable;
  PageRun(kRepository / "docs" / "runbooks" / (GetParam() + ".md")).run();
}

INSTANTIATE_TEST_SUITE_P(Pages, Runbook, testing::ValuesIn(runbooks()), name_of);

TEST(Readme, LeadsToARestoredDatabase) {
  if (!TwoHosts::is_available()) GTEST_SKIP() << TwoHosts::kUnavailable;
  PageRun(kRepository / "README.md").run();
}

}  // namespace
}  // namespace barman::test
