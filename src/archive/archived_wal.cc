#include "archive/archived_wal.h"

#include <filesystem>
#include <utility>

#include "archive/receiver_note.h"
#include "archive/wal_coding.h"
#include "base/error.h"
#include "base/log.h"
#include "catalogue/wal_check.h"
#include "catalogue/wal_index.h"
#include "pipeline/sink.h"

namespace barman::archive {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kComponent = "barman.wal_archiver";

class MemorySink final : public pipeline::Sink {
 public:
  void write(Bytes data) override { bytes_.insert(bytes_.end(), data.begin(), data.end()); }
  void finish() override {}
  std::vector<std::byte> take() { return std::move(bytes_); }

 private:
  std::vector<std::byte> bytes_;
};

// Streaming does not depend on what is looked at here.
template <typename Question>
auto ask(const Question& question) -> decltype(question()) {
  try {
    return question();
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::interrupted) throw;
    log::warning(kComponent, "cannot look into the archive: {}", error.describe());
    return std::nullopt;
  }
}

fs::path path_of(const server::Server& server, const std::string& name) {
  return catalogue::archived_wal_path(server.locations().wals_directory, name);
}

std::optional<std::vector<std::byte>> read_segment(const server::Server& server,
                                                   const std::string& name) {
  const fs::path path = path_of(server, name);
  const std::optional<Fd> file = find_file(path);
  if (!file) return std::nullopt;
  const WalCoding coding(server.config());
  const StoredForm form = coding.identify(*file, path);
  MemorySink content;
  // Without key and passphrase on this host nothing is known.
  try {
    coding.decode(form, *file, path, content);
  } catch (const Error& error) {
    if (!form.encryption || error.kind() == ErrorKind::interrupted) throw;
    log::debug(kComponent, "{} is not compared with the server's: {}", name, error.describe());
    return std::nullopt;
  }
  return content.take();
}

std::optional<replication::HeldWal> find_noted_end(const server::Server& server,
                                                   const std::string& segment) {
  const ReceiverNote note = find_receiver_note(server.locations().backup_directory);
  if (note.segment != segment) return std::nullopt;
  return note.end;
}

std::optional<std::string> read_history(const server::Server& server, wal::TimelineId timeline) {
  const fs::path path = path_of(server, wal::history_file_name(timeline));
  if (!find_file(path)) return std::nullopt;
  return WalCoding(server.config()).read_text(path);
}

}  // namespace

replication::ArchivedWal look_at_archived_wal(const server::Server& server) {
  return {.last_segment =
              [&server](wal::TimelineId timeline) {
                return ask([&] {
                  return catalogue::find_last_archived_segment(server.locations().wals_directory,
                                                               timeline);
                });
              },
          .content =
              [&server](const std::string& segment) {
                return ask([&] { return read_segment(server, segment); });
              },
          .noted_end =
              [&server](const std::string& segment) { return find_noted_end(server, segment); },
          .history =
              [&server](wal::TimelineId timeline) {
                return ask([&] { return read_history(server, timeline); });
              }};
}

}  // namespace barman::archive
