// A page of the documentation as what it tells somebody to do. Console blocks hold commands behind
// a prompt, and what one should see:
//
//   ```console
//   barman@backup$ barman check main
//   Server main:
//   ...
//   postgres=# SELECT count(*) FROM orders;
//   ```
//
// "user@host$ " and "root@host# " are commands of a shell on that host (a line that ends with "\"
// goes on), "database=# " is SQL for psql, as user postgres on host pg. Lines without a prompt are
// what the command before them prints: all of it, where a line "..." stands for any lines, and
// "..." in a line for any text; without such lines nothing is expected. Numbers, times, sizes and
// names of WAL files may differ, except in what psql prints. A command must succeed.
//
// Comments of HTML, each on a line of its own, say what a reader knows without them:
//
//   <!-- needs: backup on backup pg -->      the set-up (scripts/two-hosts) and its hosts
//   <!-- run root@pg# command -->            done, and not shown
//   <!-- value "10:14" postgres@pg$ date --> what stands for the output of that command from here
//   on
//   <!-- stdin root@backup# tee -a /etc/x --> the next block is the input of that command
//   <!-- until -->                           the next block is repeated until one sees what it
//   shows
//   <!-- fails -->                           commands of the next block end with an error
//   <!-- not run: why -->                    the next block is not done
//
// Every other block is a mistake of the page: what is shown there would rot.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace barman::test {

struct PageStep {
  int line = 0;
  std::string user;
  std::string host;
  std::string command;  // of a shell
  std::string input;
  std::vector<std::string> expected;
  std::string value;      // what its output replaces
  bool is_exact = false;  // numbers count
  bool is_repeated = false;
  bool fails = false;
};

struct Page {
  std::string setup;
  std::vector<std::string> hosts;
  std::vector<PageStep> steps;
};

// Throws with file and line when a block or a comment is not understood.
Page load_page(const std::filesystem::path& file);

// Whether the output is what the page shows.
bool is_as_shown(const PageStep& step, std::string_view output);

}  // namespace barman::test
