#include "backup/archive_wait.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>

#include <fmt/format.h>

#include "backup/archive_help.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/log_components.h"
#include "base/shown_time.h"
#include "base/timestamp.h"
#include "wal_archive/wal_archive.h"

namespace barman::backup {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr int kGlanceMs = 20;
// The server is asked less and less often.
constexpr milliseconds kFirstQuestion{50};
constexpr milliseconds kLongestPause{1000};
// A shorter wait needs no words.
constexpr milliseconds kPatience{2000};
// PostgreSQL tries a command that fails three times a minute.
constexpr milliseconds kSayEvery{60000};

bool archives(const postgres::ServerSettings& settings, postgres::Connection& connection) {
  if (settings.archive_mode == "always") return true;
  return settings.archive_mode == "on" && !postgres::is_in_recovery(connection);
}

// By streaming; what an archive_command is just writing may be half of the file.
bool has_come(const server::Server& server, const wal_archive::WalArchive& archive,
              const std::string& wal_name) {
  return find_status(server.locations().streamed_wal(wal_name)).has_value() ||
         (!archive.is_in_bucket() && find_status(archive.path_of(wal_name)).has_value());
}

std::string wait_text(const postgres::ArchiverStatistics& archiver, const std::string& since) {
  std::string text =
      fmt::format("waiting since {} until PostgreSQL has archived the WAL of the backup", since);
  if (!archiver.is_archiving && archiver.last_failed_wal) {
    text += fmt::format(": its archive_command fails, last for {}", *archiver.last_failed_wal);
    if (archiver.last_failed_time) {
      text += " at " + shown_second(*archiver.last_failed_time);
    }
  }
  return text;
}

}  // namespace

bool is_archived_by(std::string_view last, std::string_view wal_name) {
  return last.size() >= wal_name.size() && last.substr(0, wal_name.size()) >= wal_name;
}

void wait_until_archived(const server::Server& server, const postgres::ServerSettings& settings,
                         const catalogue::BackupInfo& info, postgres::Connection& connection,
                         Messages& messages) {
  const std::string& wal_name = info.end_wal.value();
  const wal_archive::WalArchive archive(server);
  ArchiveHelp help(server, info, messages, PrimarySwitch::done);
  const auto begun = Clock::now();
  const std::string since = shown_second(now_local());
  auto asked = begun;
  milliseconds pause = kFirstQuestion;
  std::string told;
  milliseconds told_at = -kSayEvery;
  try {
    if (!archives(settings, connection)) return;
    while (!has_come(server, archive, wal_name)) {
      sleep_unless_interrupted(kGlanceMs, server.interrupt());
      server.interrupt().throw_if_requested();
      const auto now = Clock::now();
      if (now - asked < pause) continue;
      asked = now;
      pause = std::min(pause * 2, kLongestPause);
      const postgres::ArchiverStatistics archiver = postgres::query_archiver_statistics(connection);
      if (is_archived_by(archiver.last_archived_wal.value_or(""), wal_name)) return;
      const auto duration = std::chrono::duration_cast<milliseconds>(now - begun);
      if (duration < kPatience) continue;
      const std::string text = wait_text(archiver, since);
      help.look({.duration = duration, .text = text});
      if (told == text || duration < told_at + kSayEvery) continue;
      told = text;
      told_at = duration;
      messages.warning("The backup is " + text);
    }
  } catch (const Error& error) {  // The backup has ended on the server: its WAL will tell.
    if (error.kind() == ErrorKind::interrupted) throw;
    log::warning(log::kBackupComponent, "cannot ask whether the WAL of backup {} is archived: {}",
                 info.id.value, error.describe());
  }
}

}  // namespace barman::backup
