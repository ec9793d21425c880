// Words of the command line, one a line: the command line itself, and the last word as the name of
// a backup. A word that is no backup selects none.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/error.h"
#include "base/text.h"
#include "catalogue/test_support.h"
#include "cli/barman_program.h"
#include "cli/commands.h"
#include "command_line/parser.h"
#include "fuzz_target.h"

// In the place of cli/commands.cc, which needs the commands themselves.
bool barman::cli::is_available(std::string_view) { return true; }

namespace {

using namespace barman;

const catalogue::BackupList& backups() {
  static const catalogue::BackupList list = [] {
    catalogue::BackupList made;
    made.backups = {
        catalogue::make_backup("20260101T000000", "", ""),
        catalogue::make_backup("20260102T000000", "", "", catalogue::BackupStatus::failed),
        catalogue::make_incremental("20260103T000000", "20260101T000000")};
    made.backups.front().backup_name = "nightly";
    return made;
  }();
  return list;
}

}  // namespace

BARMAN_FUZZ_TARGET(command_words) {
  const std::vector<std::string> words =
      split(std::string_view(reinterpret_cast<const char*>(data), size), '\n');
  try {
    command_line::parse_line(cli::barman_program(), words);
  } catch (const command_line::UsageError& error) {
    if (std::string_view(error.what()).empty()) std::abort();
  }
  const std::string& word = words.back();
  if (word.empty() && words.size() > 1) return 0;
  try {
    const catalogue::BackupInfo& found = catalogue::resolve_backup(backups(), {}, word, "main");
    const bool is_known = word == found.id.value || word == "nightly" || word == "last-failed" ||
                          word == "latest" || word == "last" || word == "oldest" ||
                          word == "first" || word == "latest-full" || word == "last-full";
    if (!is_known) std::abort();
  } catch (const Error& error) {
    if (error.describe().empty()) std::abort();
  }
  return 0;
}
