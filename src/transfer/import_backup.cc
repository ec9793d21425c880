#include "transfer/import_backup.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <exception>
#include <memory>
#include <optional>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "base/digest.h"
#include "base/directory.h"
#include "base/durable.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/log_components.h"
#include "base/scratch_directory.h"
#include "base/text.h"
#include "catalogue/backup_kind.h"
#include "catalogue/backup_turn.h"
#include "catalogue/catalogue.h"
#include "compression/codec.h"
#include "stored/backup_evidence.h"
#include "stored/backup_store.h"
#include "transfer/staging.h"
#include "wal_archive/wal_archive.h"

namespace barman::transfer {
namespace fs = std::filesystem;

using catalogue::BackupId;
using catalogue::BackupInfo;
using wal_archive::WalIndexEntry;

namespace {

constexpr std::size_t kImportBufferSize = std::size_t{1} << 20;
constexpr std::string_view kStagingPrefix = ".import-";
constexpr std::array<std::string_view, 4> kExtensions = {".tar", ".tar.gz", ".tar.bz2", ".tar.xz"};

constexpr const char* kCopyAnew =
    "Copy the file anew from where 'barman export-backup' has made it.";

Error refused(const std::string& text, const std::string& hint = kCopyAnew) {
  return {ErrorKind::corrupt, text, hint};
}

struct TarballName {
  BackupId id;
  std::string checksum;
};

TarballName parse_tarball_name(const std::string& name, const std::string& server_name) {
  const auto wrong = [&](const std::string& reason) {
    return refused(
        fmt::format("Tarball filename does not match the expected export format "
                    "'backup-export-SERVER_NAME-BACKUP_ID-TIMESTAMP-CHECKSUM.tar': "
                    "'{}'. {}",
                    name, reason),
        fmt::format("Give it the name back that 'barman export-backup {}' has given it: its "
                    "checksum is a part of it.",
                    server_name));
  };
  const std::string prefix = fmt::format("backup-export-{}-", server_name);
  std::string_view stem = name;
  const auto extension =
      std::find_if(kExtensions.begin(), kExtensions.end(),
                   [&](std::string_view candidate) { return stem.ends_with(candidate); });
  if (extension == kExtensions.end()) {
    throw wrong("Expected a .tar, .tar.gz, .tar.bz2, or .tar.xz file extension.");
  }
  stem.remove_suffix(extension->size());
  if (!stem.starts_with(prefix)) {
    throw wrong(fmt::format("Expected filename to start with '{}'.", prefix));
  }
  const std::vector<std::string> parts = split(stem.substr(prefix.size()), '-');
  if (parts.size() != 3) {
    throw wrong(
        "Expected filename to contain the backup ID, timestamp, and checksum after the "
        "server name.");
  }
  if (!catalogue::is_backup_id(parts[0])) {
    throw wrong(fmt::format("Expected BACKUP_ID to be in the format 'YYYYMMDDTHHMMSS', got '{}'.",
                            parts[0]));
  }
  return {.id = {parts[0]}, .checksum = parts[2]};
}

constexpr const char* kGiveFile = "Give the path of a file that 'barman export-backup' has made.";

// Opens the file and looks whether it can be a tar archive.
Fd open_tarball(const fs::path& path, std::optional<compression::Algorithm>& algorithm) {
  struct stat status = {};
  if (::stat(path.c_str(), &status) != 0) {
    throw refused(fmt::format("Tarball file '{}' does not exist", path.string()), kGiveFile);
  }
  if (!S_ISREG(status.st_mode)) {
    throw refused(fmt::format("Tarball path '{}' is not a file", path.string()), kGiveFile);
  }
  if (::access(path.c_str(), R_OK) != 0) {
    throw refused(fmt::format("Tarball file '{}' is not readable", path.string()),
                  "Let the user that runs barman read it (chown, chmod).");
  }
  Fd file = open_file(path, O_RDONLY, 0600, Links::follow);
  constexpr std::size_t kHeader = 512;
  constexpr std::size_t kMagic = 257;
  std::array<std::byte, kHeader> first{};
  const std::size_t size = read_full_at(file, first, 0, path);
  algorithm = compression::detect(Bytes(first).first(size));
  const bool is_tar = size == kHeader && as_text(Bytes(first)).substr(kMagic).starts_with("ustar");
  if (!algorithm && !is_tar) {
    throw refused(fmt::format("File '{}' is not a valid tar file", path.string()));
  }
  return file;
}

bool have_same_content(const fs::path& a, const fs::path& b) {
  const Fd first = open_file(a, O_RDONLY);
  const Fd second = open_file(b, O_RDONLY);
  std::vector<std::byte> first_buffer(kImportBufferSize);
  std::vector<std::byte> second_buffer(kImportBufferSize);
  for (;;) {
    const std::size_t size = read_full(first, first_buffer, a);
    if (read_full(second, second_buffer, b) != size) return false;
    if (!std::equal(first_buffer.begin(), first_buffer.begin() + static_cast<std::ptrdiff_t>(size),
                    second_buffer.begin())) {
      return false;
    }
    if (size < kImportBufferSize) return true;
  }
}

std::vector<WalIndexEntry> parse_index(const std::string& text) {
  std::vector<WalIndexEntry> entries;
  for (const std::string& line : split(text, '\n')) {
    if (line.empty()) continue;
    const auto parsed = wal_archive::parse_wal_index_line(line);
    if (!parsed) throw refused(fmt::format("'xlog.db' of the tarball has a wrong line: {}", line));
    entries.push_back(parsed->entry());
  }
  std::sort(entries.begin(), entries.end(),
            [](const WalIndexEntry& a, const WalIndexEntry& b) { return a.name < b.name; });
  return entries;
}

class Import {
 public:
  Import(const server::Server& server, fs::path tarball, TarballName name, Messages& messages,
         Progress& progress)
      : server_(server),
        tarball_(std::move(tarball)),
        name_(std::move(name)),
        messages_(messages),
        progress_(progress) {}

  void run(const Fd& file, const std::optional<compression::Algorithm>& algorithm,
           const catalogue::Identity& identity) {
    staging_.emplace(server_.locations().basebackups_directory, kStagingPrefix);
    unpack(file, algorithm);
    check_identity(identity);
    BackupInfo info = check_backup();
    stored::require_parts_of(info, staged_places().data_directory);
    check_wals(info);
    publish(info);
  }

 private:
  // What is wrong inside is told only when the file itself is the one that was exported.
  void unpack(const Fd& file, const std::optional<compression::Algorithm>& algorithm) {
    writer_ = stored::make_copy_writer(staging(), stored::CopiedLinks::refuse);
    content_ = std::make_unique<Staging>(staging(), writer_->begin_tree({}));
    pipeline::TarReader reader(*content_, tarball_.string());
    std::unique_ptr<pipeline::Sink> decompressor;
    if (algorithm) {
      decompressor = compression::make_decompressor(*algorithm, reader, tarball_.string());
    }
    pipeline::Sink& sink = decompressor ? *decompressor : reader;
    Digest digest(DigestAlgorithm::sha256);
    std::exception_ptr failure;
    const auto guarded = [&](const auto& action) {
      if (failure) return;
      try {
        action();
      } catch (const Error&) {
        failure = std::current_exception();
      }
    };
    progress_.begin("import", fs::file_size(tarball_));
    std::vector<std::byte> buffer(kImportBufferSize);
    for (;;) {
      server_.interrupt().throw_if_requested();
      const std::size_t size = read_full(file, buffer, tarball_);
      const Bytes data = Bytes(buffer).first(size);
      digest.update(data);
      guarded([&] { sink.write(data); });
      progress_.advance(size);
      if (size < buffer.size()) break;
    }
    guarded([&] { sink.finish(); });
    progress_.end();
    const std::string checksum = digest.finish().substr(0, name_.checksum.size());
    if (checksum != name_.checksum) {
      throw refused(
          fmt::format("Tarball checksum mismatch: filename contains '{}' but actual "
                      "checksum is '{}'. The file may have been modified or corrupted.",
                      name_.checksum, checksum));
    }
    if (failure) std::rethrow_exception(failure);
    content_->finish();
    writer_->make_durable();
  }

  std::string require_text(const std::string& name) const {
    std::optional<std::string> text = content_->find_text(name);
    if (!text) throw refused(fmt::format("Exported tarball does not contain a '{}' file", name));
    return std::move(*text);
  }

  void check_identity(const catalogue::Identity& identity) const {
    const nlohmann::json json =
        nlohmann::json::parse(require_text("identity.json"), nullptr, false);
    const auto text_of = [&](const char* key) -> std::string {
      if (!json.is_object() || !json.contains(key)) return "";
      return json[key].is_string() ? json[key].get<std::string>() : json[key].dump();
    };
    if (text_of("systemid") != identity.system_id) {
      throw Error(ErrorKind::conflict,
                  fmt::format("Server identity mismatch: exported backup has systemid '{}' but "
                              "target server has systemid '{}'",
                              text_of("systemid"), identity.system_id),
                  "Import it into the server whose cluster it is of.");
    }
    if (text_of("version") != identity.version) {
      messages_.warning(
          fmt::format("PostgreSQL version mismatch: exported backup has version '{}' but target "
                      "server has version '{}'",
                      text_of("version"), identity.version));
    }
  }

  BackupInfo check_backup() const {
    for (const auto& [has, name] :
         {std::pair{content_->has_backup(), "backup"}, std::pair{content_->has_wals(), "wals"}}) {
      if (!has) {
        throw refused(fmt::format("Exported tarball does not contain a '{}/' directory", name));
      }
    }
    BackupInfo info = catalogue::parse_backup_info(require_text(catalogue::kBackupInfo), name_.id,
                                                   catalogue::kBackupInfo);
    if (!info.unknown.empty()) {
      throw refused(fmt::format("backup.info of the tarball has an unknown key '{}'",
                                info.unknown.begin()->first));
    }
    if (info.is_incremental()) {
      throw refused("The tarball holds an incremental backup, which cannot be imported");
    }
    if (info.status != catalogue::BackupStatus::done) {
      throw refused(fmt::format("The tarball holds a backup with status {}",
                                catalogue::status_text(info.status)));
    }
    // Those of the other catalogue did not come along.
    info.children_backup_ids.clear();
    return info;
  }

  // Each required segment is in the tarball, and none is here with other content.
  void check_wals(const BackupInfo& info) {
    const std::vector<WalIndexEntry> index = parse_index(require_text("xlog.db"));
    std::vector<std::string> conflicts;
    for (const std::string& name : wal_archive::required_segments(info)) {
      const auto line = std::find_if(index.begin(), index.end(), [&](const WalIndexEntry& entry) {
        return entry.name == name;
      });
      const fs::path staged = staged_wal(name);
      if (line == index.end() || !find_status(staged)) {
        throw refused(
            fmt::format("Exported tarball does not contain the required WAL file {}", name));
      }
      const fs::path archived = archive_.path_of(name);
      if (find_status(archived) && !have_same_content(staged, archived)) conflicts.push_back(name);
      wals_.push_back(*line);
    }
    if (conflicts.empty()) return;
    constexpr std::size_t kShown = 5;
    const std::size_t more = conflicts.size() > kShown ? conflicts.size() - kShown : 0;
    conflicts.resize(conflicts.size() - more);
    throw Error(ErrorKind::conflict,
                fmt::format("WAL file(s) already exist in target server with conflicting content: "
                            "{}{}",
                            fmt::join(conflicts, ", "),
                            more > 0 ? fmt::format(" (and {} more)", more) : ""),
                "The archive of this server belongs to another history, or stores WAL otherwise.");
  }

  void publish(const BackupInfo& info) {
    make_tablespace_links(info);
    publish_wals();
    const fs::path target = server_.catalogue().base_directory(name_.id);
    if (find_status(target)) {
      log::warning(log::kBackupComponent, "removing \"{}\", which an interrupted import has left",
                   target.string());
    }
    stored::BackupStore(server_.catalogue()).publish(staging() / "backup", name_.id);
    try {
      server_.catalogue().write_keep(name_.id, catalogue::KeepTarget::standalone);
    } catch (const Error& error) {
      messages_.warning(
          fmt::format("Cannot keep the imported backup {}: {}", name_.id.value, error.describe()));
    }
    server_.catalogue().save(info);
  }

  void make_tablespace_links(const BackupInfo& info) const {
    if (info.tablespaces.empty() || catalogue::stored_form_of(info) == catalogue::StoredForm::tar)
      return;
    const stored::BackupDirectories staged = staged_places();
    const fs::path links = staged.data_directory / "pg_tblspc";
    if (!fs::is_directory(links)) return;
    std::vector<std::uint32_t> oids;
    for (const catalogue::Tablespace& tablespace : info.tablespaces) {
      const bool is_here = fs::is_directory(staged.tablespace_directory(tablespace.oid));
      if (is_here) oids.push_back(tablespace.oid);
    }
    // In the staging directory, to where the tablespaces will be.
    stored::BackupDirectories places =
        stored::BackupStore(server_.catalogue()).directories(name_.id);
    places.data_directory = staged.data_directory;
    stored::link_tablespaces(places, oids);
  }

  const fs::path& staging() const { return staging_->path(); }
  stored::BackupDirectories staged_places() const {
    return stored::directories_below(staging() / "backup");
  }
  fs::path staged_wal(const std::string& name) const {
    return staging() / "wals" / wal_archive::WalArchive::relative_path(name);
  }

  void publish_wals() {
    wal_archive::WalIndex index = archive_.index();
    for (const WalIndexEntry& entry : wals_) {
      if (!archive_.holds(entry.name)) archive_.place(staged_wal(entry.name), entry);
    }
    std::vector<WalIndexEntry> missing;
    for (const WalIndexEntry& entry : wals_) {
      if (!index.find(entry.name)) missing.push_back(entry);
    }
    if (!missing.empty()) index.merge(missing);
  }

  const server::Server& server_;
  const wal_archive::WalArchive archive_{server_};
  const fs::path tarball_;
  const TarballName name_;
  Messages& messages_;
  Progress& progress_;
  std::optional<ScratchDirectory> staging_;       // before what writes there
  std::unique_ptr<stored::BackupWriter> writer_;  // before content_, which refers to it
  std::unique_ptr<Staging> content_;
  std::vector<WalIndexEntry> wals_;  // required ones, by name
};

}  // namespace

BackupId import_backup(const server::Server& server, const fs::path& tarball, Messages& messages,
                       Progress& progress) {
  std::optional<compression::Algorithm> algorithm;
  const Fd file = open_tarball(tarball, algorithm);
  messages.info(
      fmt::format("Importing backup from '{}' to server '{}'", tarball.string(), server.name()));
  const std::optional<catalogue::Identity> identity = server.catalogue().find_identity();
  if (!identity) {
    throw Error(ErrorKind::not_found,
                fmt::format("No identity file found for server '{}'. The identity file is required "
                            "to validate the backup during import.",
                            server.name()),
                "Take a backup of this server: the first one writes the file.");
  }
  const TarballName name = parse_tarball_name(tarball.filename().string(), server.name());
  server.create_directories();
  const std::string busy =
      fmt::format("Another backup operation is already running on server '{}'", server.name());
  const FileLock server_lock =
      catalogue::take_backup_turn_or_throw(server.locks(), busy, server.interrupt(), messages);
  const FileLock backup_lock =
      server::lock_or_throw(catalogue::backup_id_lock(server.locks(), name.id), busy);
  if (server.catalogue().find_backup(name.id)) {
    throw Error(ErrorKind::conflict,
                fmt::format("Backup '{}' already exists in the catalog for server '{}'",
                            name.id.value, server.name()),
                "It is there already; to replace it, delete it first.");
  }
  Import(server, tarball, name, messages, progress).run(file, algorithm, *identity);
  return name.id;
}

}  // namespace barman::transfer
