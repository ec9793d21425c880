#include "archive/archived_wal.h"

#include <filesystem>
#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "pipeline/sink.h"
#include "wal_archive/wal_check.h"
#include "wal_archive/wal_coding.h"
#include "wal_archive/wal_index.h"

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
  return wal_archive::archived_wal_path(server.locations().wals_directory, name);
}

std::optional<std::vector<std::byte>> read_segment(const server::Server& server,
                                                   const std::string& name) {
  const fs::path path = path_of(server, name);
  const std::optional<Fd> file = find_file(path);
  if (!file) return std::nullopt;
  const wal_archive::WalCoding coding(server.config());
  const wal_archive::StoredForm form = coding.identify(*file, path);
  // A passphrase is not asked for at each start of a receiver.
  if (form.encryption) return std::nullopt;
  MemorySink content;
  coding.decode(form, *file, path, content);
  return content.take();
}

std::optional<std::string> read_history(const server::Server& server, wal::TimelineId timeline) {
  const fs::path path = path_of(server, wal::history_file_name(timeline));
  if (!find_file(path)) return std::nullopt;
  return wal_archive::WalCoding(server.config()).read_text(path);
}

}  // namespace

replication::ArchivedWal look_at_archived_wal(const server::Server& server) {
  return {.last_segment =
              [&server](wal::TimelineId timeline) {
                return ask([&] {
                  return wal_archive::find_last_archived_segment(server.locations().wals_directory,
                                                                 timeline);
                });
              },
          .content =
              [&server](const std::string& segment) {
                return ask([&] { return read_segment(server, segment); });
              },
          .history =
              [&server](wal::TimelineId timeline) {
                return ask([&] { return read_history(server, timeline); });
              }};
}

}  // namespace barman::archive
