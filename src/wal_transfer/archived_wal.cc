#include "wal_transfer/archived_wal.h"

#include <filesystem>
#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "base/log_components.h"
#include "pipeline/sink.h"
#include "wal_archive/receiver_note.h"
#include "wal_archive/wal_archive.h"

namespace barman::wal_transfer {

using wal_archive::WalArchive;

namespace {

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
    log::warning(log::kWalArchiverComponent, "cannot look into the archive: {}", error.describe());
    return std::nullopt;
  }
}

std::optional<std::vector<std::byte>> read_segment(const WalArchive& archive,
                                                   const std::string& name) {
  const std::optional<wal_archive::StoredWal> wal = archive.find(name);
  if (!wal) return std::nullopt;
  MemorySink content;
  // Without key and passphrase on this host nothing is known.
  try {
    archive.read(*wal, content);
  } catch (const Error& error) {
    if (!wal->form.encryption || error.kind() == ErrorKind::interrupted) throw;
    log::debug(log::kWalArchiverComponent, "{} is not compared with the server's: {}", name,
               error.describe());
    return std::nullopt;
  }
  return content.take();
}

std::optional<replication::HeldWal> find_noted_end(const std::filesystem::path& server_directory,
                                                   const std::string& segment) {
  const wal_archive::ReceiverNote note = wal_archive::find_receiver_note(server_directory);
  if (note.segment != segment) return std::nullopt;
  return note.end;
}

}  // namespace

replication::ArchivedWal look_at_archived_wal(const server::Server& server) {
  const WalArchive archive(server);
  return {
      .last_segment =
          [archive](wal::TimelineId timeline) {
            return ask([&] { return archive.find_last_segment(timeline); });
          },
      .content =
          [archive](const std::string& segment) {
            return ask([&] { return read_segment(archive, segment); });
          },
      .noted_end = [directory = server.locations().backup_directory](
                       const std::string& segment) { return find_noted_end(directory, segment); },
      .history =
          [archive](wal::TimelineId timeline) {
            return ask([&] { return archive.find_text(wal::history_file_name(timeline)); });
          }};
}

}  // namespace barman::wal_transfer
