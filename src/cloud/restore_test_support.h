// A backup in a bucket, made by hand, for unit tests of restores.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "cloud/restore_cloud_backup.h"
#include "cloud/test_support.h"
#include "compression/codec.h"
#include "pipeline/tar_writer.h"
#include "postgres/versions.h"

namespace barman::cloud {

namespace fs = std::filesystem;
using compression::Algorithm;
using pipeline::TarMember;
using pipeline::TarMemberType;

inline const catalogue::BackupId kRestoreId{"20261121T014301"};
inline constexpr const char* kLabel =
    "START WAL LOCATION: 0/2000028 (file 000000010000000000000002)\nCHECKPOINT LOCATION: "
    "0/2000060\nBACKUP METHOD: streamed\nBACKUP FROM: primary\nSTART TIME: 2026-11-21 01:43:01 "
    "UTC\nLABEL: Barman backup cloud 20261121T014301\nSTART TIMELINE: 1\n";

using FillArchive = std::function<void(pipeline::TarWriter& tar)>;

inline void add_file(pipeline::TarWriter& tar, const std::string& path, std::string_view content) {
  TarMember member;
  member.path = path;
  member.mode = 0600;
  member.uid = ::getuid();
  member.gid = ::getgid();
  tar.add_file(member, content);
}

inline void add_link(pipeline::TarWriter& tar, const std::string& path, TarMemberType type,
                     const std::string& target) {
  TarMember member;
  member.path = path;
  member.type = type;
  member.mode = 0700;
  member.link_target = target;
  tar.begin_member(member);
}

inline void add_directory(pipeline::TarWriter& tar, const std::string& path) {
  add_link(tar, path, TarMemberType::directory, "");
}

struct RestoreBucket : LocalBucket {
  CloudCatalogue catalogue{storage, layout};
  fs::path destination = directory.path() / "restored";
  catalogue::BackupInfo info;

  RestoreBucket() {
    info.id = kRestoreId;
    info.status = catalogue::BackupStatus::done;
    info.server_name = "cloud";
    info.begin_xlog = wal::Lsn{0x2000028};
    info.begin_wal = "000000010000000000000002";
    info.timeline = wal::TimelineId{1};
    info.version = postgres::kVersion17;
  }
  void add_archive(const BucketArchiveName& name, const FillArchive& fill) {
    const auto sink =
        storage.create(layout.archive_key(kRestoreId, name), storage::IfPresent::refuse);
    const auto compressor =
        name.compression ? compression::make_archive_compressor(*name.compression, {}, 1, *sink)
                         : nullptr;
    pipeline::TarWriter tar(compressor ? *compressor : *sink);
    fill(tar);
    tar.finish();
  }
  // As Barman writes it.
  void add_data(std::optional<Algorithm> algorithm = {}) {
    add_archive({.compression = algorithm}, [](pipeline::TarWriter& tar) {
      add_directory(tar, ".");
      add_file(tar, "./PG_VERSION", "17\n");
      add_directory(tar, "base");
      add_directory(tar, "base/1");
      add_file(tar, "base/1/2619", std::string(3'000'000, 'x'));
      add_directory(tar, "global");
      add_directory(tar, "pg_tblspc");
      add_file(tar, "global/pg_control", "control");
      add_file(tar, "./backup_label", kLabel);
    });
  }
  void restore(std::map<std::string, fs::path> locations = {}) {
    catalogue.save(info);
    restore_cloud_backup(
        catalogue,
        {.id = kRestoreId, .destination = destination, .locations = std::move(locations)});
  }
  std::string refusal() {
    try {
      restore();
      return "restored";
    } catch (const Error& error) {
      return error.message();
    }
  }
  std::string file(const std::string& path) const { return get_file(destination / path); }
};

}  // namespace barman::cloud
