#include "stored/restorable.h"

#include <filesystem>
#include <set>
#include <string>
#include <system_error>

#include <fmt/format.h>

#include "base/error.h"
#include "base/fd.h"
#include "catalogue/backup_kind.h"
#include "pipeline/relative_path.h"
#include "postgres/versions.h"
#include "stored/archive_file.h"
#include "stored/backup_chain.h"
#include "stored/backup_writer.h"
#include "stored/bucket_tree.h"
#include "stored/manifest_index.h"
#include "wal/wal_file_name.h"

namespace barman::stored {
namespace fs = std::filesystem;

using catalogue::BackupInfo;

namespace {

constexpr const char* kTakeAnother = "Take or choose another backup.";

[[noreturn]] void refuse(const BackupInfo& backup, const std::string& reason) {
  throw Error(ErrorKind::corrupt, fmt::format("backup {} {}", backup.id.value, reason),
              kTakeAnother);
}

void require_directory(const BackupInfo& backup, const fs::path& path) {
  std::error_code code;
  const fs::file_status status = fs::status(path, code);
  if (fs::is_directory(status)) return;
  if (code && status.type() != fs::file_type::not_found)
    throw SystemError(code.value(), fmt::format("cannot look at \"{}\"", path.string()));
  refuse(backup, fmt::format("has lost its directory \"{}\"", path.string()));
}

void require_archive(const BackupInfo& backup, const fs::path& directory, std::uint32_t oid) {
  if (find_archive(directory, oid)) return;
  refuse(backup,
         fmt::format("has no archive \"{}.tar\" in \"{}\"", archive_stem(oid), directory.string()));
}

void require_metadata(const BackupInfo& backup) {
  for (const auto& [name, value] :
       {std::pair{"begin_wal", backup.begin_wal}, std::pair{"end_wal", backup.end_wal}}) {
    if (!value || !wal::parse_segment_name(*value, backup.xlog_segment_size))
      refuse(backup, fmt::format("has no usable {} in its metadata", name));
  }
  if (!backup.timeline) refuse(backup, "has no timeline in its metadata");
  std::set<std::uint32_t> oids;
  std::set<std::string> names;
  for (const catalogue::Tablespace& tablespace : backup.tablespaces) {
    if (!pipeline::is_tablespace_location(tablespace.location, tablespace.oid) ||
        !oids.insert(tablespace.oid).second || !names.insert(tablespace.name).second) {
      refuse(backup, fmt::format("has an impossible list of tablespaces in its metadata, at \"{}\"",
                                 tablespace.name));
    }
  }
}

// Compares the trees of one backup with its manifest.
void require_listed_files(const ChainMember& member) {
  ManifestIndex manifest = *member.manifest;
  std::set<std::string> unseen_prefixes;  // of trees that are not looked into
  for (const BackupTree& tree : member.trees) {
    const std::string prefix = tree.manifest_prefix();
    if (!tree.content->has_random_access()) {
      // In the data directory's archive there may be anything.
      if (tree.is_data_directory()) return;
      unseen_prefixes.insert(prefix);
      continue;
    }
    tree.content->walk([&](const Entry& entry) {
      if (entry.is_directory) return;
      const auto expected = manifest.find(prefix + entry.path);
      if (!expected) return;
      if (expected->size_bytes != entry.size_bytes) {
        refuse(member.info, fmt::format("has \"{}{}\" with {} bytes instead of {}", prefix,
                                        entry.path, entry.size_bytes, expected->size_bytes));
      }
      manifest.mark_seen(prefix + entry.path);
    });
  }
  const auto is_looked_for = [&](std::string_view path) {
    for (const std::string& prefix : unseen_prefixes) {
      if (path.starts_with(prefix)) return false;
    }
    return true;
  };
  const std::vector<std::string> unseen = manifest.list_unseen(is_looked_for, 1);
  if (!unseen.empty())
    refuse(member.info, fmt::format("lacks \"{}\", which its manifest lists", unseen.front()));
}

}  // namespace

void require_files(const catalogue::Catalogue& catalogue, const BackupInfo& backup) {
  if (const auto bucket = catalogue.bucket()) return require_bucket_archives(*bucket, backup);
  const fs::path data = catalogue.data_directory(backup.id);
  require_directory(backup, data);
  if (catalogue::stored_form_of(backup) == catalogue::StoredForm::tar) {
    require_archive(backup, data, 0);
  } else if (!find_file(data / "PG_VERSION")) {
    refuse(backup, fmt::format("has lost its files: \"{}\" holds no PG_VERSION", data.string()));
  }
  for (const catalogue::Tablespace& tablespace : backup.tablespaces) {
    if (!tablespace.location.starts_with('/')) continue;
    if (catalogue::stored_form_of(backup) == catalogue::StoredForm::tar) {
      require_archive(backup, data, tablespace.oid);
    } else {
      require_directory(backup, catalogue.tablespace_directory(backup.id, tablespace.oid));
    }
  }
}

void require_manifest(const catalogue::Catalogue& catalogue, const BackupInfo& backup) {
  if (catalogue.bucket()) return;
  const fs::path manifest = manifest_in(catalogue.data_directory(backup.id));
  const bool has_manifest =
      catalogue::source_of(backup) == catalogue::SourceKind::postgres_stream &&
      backup.version.value_or(postgres::kVersion13) >= postgres::kVersion13;
  if (has_manifest && !find_file(manifest)) {
    refuse(backup, fmt::format("has lost \"{}\"", manifest.string()));
  }
}

void require_restorable(const catalogue::Catalogue& catalogue, const catalogue::BackupId& id,
                        const OpenOptions& options) {
  const BackupInfo backup = catalogue.load_backup(id);
  require_metadata(backup);
  bool is_hidden = false;
  for (const BackupInfo& link : list_chain(catalogue, backup)) {
    require_files(catalogue, link);
    require_manifest(catalogue, link);
    is_hidden = is_hidden || link.encryption.has_value();
  }
  // This host may be one that only encrypts.
  if (is_hidden) return;
  const BackupChain chain = BackupChain::open(catalogue, backup, options);
  if (chain.members().front().manifest) require_listed_files(chain.members().front());
}

}  // namespace barman::stored
