// A model of a base backup as a server sends it since PostgreSQL 15, whole or with one or more
// defects, for tests and the fuzz target: what must be DONE is the whole one, and nothing else.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "backup/base_backup_receiver.h"
#include "base/digest.h"
#include "base/durable.h"
#include "pipeline/tar_writer.h"
#include "replication/backup_sequence.h"
#include "replication/messages.h"

namespace barman::backup {

enum class Defect {
  no_manifest,
  no_end_blocks,
  one_end_block,
  archive_cut,
  file_missing,
  file_changed,
  file_twice,
  strange_file,
  strange_link,
  tablespace_file_in_base,
  archives_swapped,
  archive_missing,
  archive_twice,
  wrong_archive_name,
  wrong_location,
  manifest_first,
  two_manifests,
  data_first,
  manifest_cut,
  manifest_changed,
  manifest_names_twice,
  manifest_other_algorithm,
  manifest_no_checksums,
  other_system_id,
  other_begin,
  other_end,
  end_before_begin,
  no_label,
  label_of_another,
  count
};

class StreamModel {
 public:
  static constexpr std::uint64_t kSystemId = 7300000000000000001U;

  explicit StreamModel(std::set<Defect> defects) : defects_(std::move(defects)) {
    expected_.begin = {.lsn = {0x2000028}, .timeline = {1}, .archives = {}};
    expected_.begin.archives = {
        {.oid = 16384, .location = "/srv/a"}, {.oid = 16385, .location = "pg_tblspc/16385"}, {}};
    expected_.system_id = postgres::SystemId{kSystemId};
    files_ = {{"pg_tblspc/16384/PG_17_202406281/5/1", std::string(9000, 'a')},
              {"pg_tblspc/16385/PG_17_202406281/5/2", "in place"},
              {"base/5/1259", std::string(8192, 'b')},
              {"global/pg_control", std::string(512, 'c')},
              {"PG_VERSION", "17\n"},
              {"empty", ""}};
    if (!has(Defect::no_label)) {
      files_["backup_label"] = fmt::format(
          "START WAL LOCATION: 0/{} (file 000000010000000000000002)\n"
          "CHECKPOINT LOCATION: 0/2000060\nBACKUP METHOD: streamed\nBACKUP FROM: primary\n"
          "START TIME: 2026-11-21 05:27:30 GMT\nLABEL: x\nSTART TIMELINE: 1\n",
          has(Defect::label_of_another) ? "2000128" : "2000028");
    }
  }

  const ExpectedBackup& expected() const { return expected_; }
  const std::map<std::string, std::string>& files() const { return files_; }
  replication::BackupEnd end() const {
    return {.lsn = {has(Defect::end_before_begin) ? 0x2000000U : 0x2000120U}, .timeline = {1}};
  }

  // The content of CopyData messages.
  std::vector<std::string> messages() const {
    std::vector<std::string> archives;
    for (const replication::BackupArchive& archive : expected_.begin.archives) {
      if (archive.oid == 16384 && has(Defect::archive_missing)) continue;
      archives.push_back(begin_message(archive));
      archives.push_back("d" + tar_of(archive));
      if (!archive.is_base() || !has(Defect::archive_twice)) continue;
      archives.push_back(begin_message(archive));
      archives.push_back("d" + tar_of(archive));
    }
    if (has(Defect::archives_swapped))
      std::rotate(archives.begin(), archives.begin() + 2, archives.end());
    std::vector<std::string> manifest;
    if (!has(Defect::no_manifest)) manifest = {"m", "d" + manifest_text()};
    // No defect takes another one back.
    if (has(Defect::two_manifests) && !has(Defect::no_manifest))
      manifest.insert(manifest.end(), {"m", "d" + manifest_text()});
    std::vector<std::string> all;
    if (has(Defect::data_first)) all.emplace_back("d");
    const bool manifest_first = has(Defect::manifest_first);
    for (const auto* part :
         manifest_first ? std::vector{&manifest, &archives} : std::vector{&archives, &manifest})
      all.insert(all.end(), part->begin(), part->end());
    return all;
  }

 private:
  class StringSink final : public pipeline::Sink {
   public:
    explicit StringSink(std::string& text) : text_(text) {}
    void write(Bytes data) override { text_ += as_text(data); }
    void finish() override {}

   private:
    std::string& text_;
  };

  bool has(Defect defect) const { return defects_.contains(defect); }

  std::string begin_message(const replication::BackupArchive& archive) const {
    std::string name = archive.is_base() ? "base" : std::to_string(archive.oid);
    name += has(Defect::wrong_archive_name) && archive.oid == 16384 ? ".tar.gz" : ".tar";
    std::string location = archive.location;
    if (has(Defect::wrong_location) && archive.oid == 16385) location = "../../../evil";
    return "n" + name + '\0' + location + '\0';
  }

  void add_file(pipeline::TarWriter& tar, const std::string& path,
                const std::string& content) const {
    tar.add_file({.path = path, .mode = 0600, .size_bytes = content.size(), .mtime = 1700000001},
                 content);
  }

  void add_directories(pipeline::TarWriter& tar, const std::string& path,
                       std::set<std::string>& known) const {
    for (std::size_t at = path.find('/'); at != std::string::npos; at = path.find('/', at + 1)) {
      const std::string directory = path.substr(0, at);
      if (!known.insert(directory).second) continue;
      tar.begin_member({.path = directory,
                        .type = pipeline::TarMemberType::directory,
                        .mode = 0700,
                        .mtime = 1700000000});
    }
  }

  std::string tar_of(const replication::BackupArchive& archive) const {
    std::string text;
    StringSink sink(text);
    pipeline::TarWriter tar(sink);
    const std::string prefix = stored::manifest_prefix(archive);
    std::set<std::string> directories;
    const auto add_link = [&](const std::string& path, const std::string& target) {
      add_directories(tar, path, directories);
      tar.begin_member({.path = path,
                        .type = pipeline::TarMemberType::symlink,
                        .mode = 0777,
                        .mtime = 1700000000,
                        .link_target = target});
    };
    if (archive.is_base()) add_link("pg_tblspc/16384", "/srv/a");
    for (const auto& [path, content] : files_) {
      const bool is_here =
          archive.is_base() ? !path.starts_with("pg_tblspc/") : path.starts_with(prefix);
      if (!is_here || (path == "base/5/1259" && has(Defect::file_missing))) continue;
      const std::string name = path.substr(prefix.size());
      add_directories(tar, name, directories);
      std::string sent = content;
      if (path == "global/pg_control" && has(Defect::file_changed)) sent.back() ^= 1;
      add_file(tar, name, sent);
      if (path == "PG_VERSION" && has(Defect::file_twice)) add_file(tar, name, sent);
    }
    if (archive.is_base() && has(Defect::strange_file)) add_file(tar, "stranger", "s");
    if (archive.is_base() && has(Defect::strange_link)) add_link("conf", "/etc");
    if (archive.is_base() && has(Defect::tablespace_file_in_base))
      add_file(tar, "pg_tblspc/16385/x", "");
    tar.finish();
    if (!archive.is_base()) return text;
    if (has(Defect::no_end_blocks)) text.resize(text.size() - 1024);
    if (has(Defect::one_end_block)) text.resize(text.size() - 512);
    if (has(Defect::archive_cut)) text.resize(text.size() / 2 + 100);
    return text;
  }

  std::string manifest_text() const {
    std::string text;
    postgres::ManifestWriter writer(
        [&](std::string_view part) { text += part; },
        postgres::SystemId{has(Defect::other_system_id) ? kSystemId + 1 : kSystemId});
    for (const auto& [path, content] : files_) {
      postgres::ManifestFile file = {.path = path,
                                     .size_bytes = content.size(),
                                     .last_modified = "2026-11-21 05:27:30 GMT",
                                     .algorithm = DigestAlgorithm::crc32c};
      if (path == "base/5/1259" && has(Defect::manifest_other_algorithm))
        file.algorithm = DigestAlgorithm::sha256;
      if (has(Defect::manifest_no_checksums)) file.algorithm = DigestAlgorithm::none;
      if (file.algorithm == DigestAlgorithm::crc32c) {
        file.checksum =
            crc32c_text(crc32c_finish(crc32c_extend(kCrc32cInitial, as_bytes(content))));
      } else if (file.algorithm == DigestAlgorithm::sha256) {
        Digest digest(DigestAlgorithm::sha256);
        digest.update(as_bytes(content));
        file.checksum = digest.finish();
      }
      writer.add_file(file);
      if (path == "empty" && has(Defect::manifest_names_twice)) writer.add_file(file);
    }
    writer.add_wal_range({.timeline = {1},
                          .start = {has(Defect::other_begin) ? 0x1000028U : 0x2000028U},
                          .end = {has(Defect::other_end) ? 0x3000000U : 0x2000120U}});
    writer.finish();
    if (has(Defect::manifest_cut)) text.resize(text.size() - 90);
    if (has(Defect::manifest_changed)) text[text.find("PG_VERSION")] = 'Q';
    return text;
  }

  const std::set<Defect> defects_;
  ExpectedBackup expected_;
  std::map<std::string, std::string> files_;
};

// Throws unless the messages are a whole backup; then it lies in `directory`/data and
// `directory`/<oid>.
inline void receive_messages(const std::vector<std::string>& messages, const StreamModel& model,
                             catalogue::StoredForm form, const std::filesystem::path& directory) {
  const stored::BackupDirectories places = stored::directories_below(directory);
  make_directories(places.data_directory);
  stored::WriterOptions options = {.form = form};
  for (const replication::BackupArchive& archive : model.expected().begin.archives)
    if (!archive.is_base() && !archive.is_in_place()) options.tablespaces.push_back(archive.oid);
  const auto writer = form == catalogue::StoredForm::tar
                          ? stored::make_archive_writer(places, options)
                          : stored::make_plain_writer(places, options);
  const NoticeHandler on_notice = [](const std::string&) {};
  NoProgress progress;
  replication::require_announcement(model.expected().begin.archives);
  BaseBackupReceiver receiver(*writer, model.expected(), on_notice, progress);
  replication::BackupSequence sequence(model.expected().begin.archives,
                                       replication::ManifestUse::required, ".tar", receiver);
  for (const std::string& message : messages)
    sequence.take(replication::decode_backup_message(as_bytes(message)));
  sequence.finish();
  replication::require_end(model.expected().begin, model.end());
  receiver.finish(model.end());
}

}  // namespace barman::backup
