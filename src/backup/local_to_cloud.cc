#include "backup/local_to_cloud.h"

#include <chrono>
#include <optional>
#include <string>

#include <fmt/format.h>

#include "backup/backup_form.h"
#include "backup/cluster_upload.h"
#include "backup/copied_cluster.h"
#include "backup/local_files.h"
#include "base/error.h"
#include "catalogue/backup_kind.h"
#include "catalogue/cloud_catalogue.h"
#include "stored/backup_store.h"

namespace barman::backup {
namespace {

class LocalToCloud final : public BackupSource {
 public:
  LocalToCloud(const server::Server& server, const BackupRequest& request)
      : server_(server), request_(request), cluster_(server, request) {}

  SourceTitle title() const override {
    // No manifest is made of files that lie in a bucket.
    return {.mode = catalogue::kLocalToCloudMode,
            .finalising = "Asking PostgreSQL server to finalize the backup.",
            .connection_option = "conninfo"};
  }
  catalogue::Identity require_possible() override;
  void begin(BackupJob& job) override;
  CopyFacts copy(BackupJob& job) override;
  void end(BackupJob& job) override;

 private:
  const server::Server& server_;
  const BackupRequest& request_;
  CopiedCluster cluster_;
  std::optional<ClusterUpload> upload_;
};

catalogue::Identity LocalToCloud::require_possible() {
  if (cluster_.is_exclusive()) {
    throw Error(ErrorKind::config,
                fmt::format("the backups of server '{}' go into a bucket, which takes no exclusive "
                            "ones",
                            server_.name()),
                "Set backup_options = concurrent_backup.");
  }
  postgres::Connection connection = server_.connect();
  require_local_data_directory(server_, connection);
  return cluster_.require_possible(connection);
}

void LocalToCloud::begin(BackupJob& job) {
  cluster_.begin(job, [&](postgres::Connection& connection) {
    require_local_data_directory(server_, connection);
  });
}

CopyFacts LocalToCloud::copy(BackupJob& job) {
  const auto begun = std::chrono::steady_clock::now();
  cluster_.warn_of_included_files(job);
  stored::BackupStore(server_.catalogue()).clear(job.info.id);
  const auto bucket = server_.catalogue().bucket();
  upload_.emplace(
      UploadPlace{.storage = bucket->storage(),
                  .backup_prefix = bucket->layout().backup_prefix(job.info.id),
                  .form = plan_form(server_.config(), server_.cipher(), 1).bucket_archives,
                  .lane_count = choose_lane_count(request_.worker_count, job.info.cluster_size)},
      cluster_.facts(), job.info, [&] {
        server_.interrupt().throw_if_requested();
        cluster_.require_alive();
      });
  for (const catalogue::Tablespace& tablespace : job.info.tablespaces) {
    job.progress.set_item(tablespace.name);
    upload_->copy_tablespace(tablespace);
  }
  job.progress.set_item("pgdata");
  upload_->copy_data_directory();
  cluster_.require_alive();
  CopyFacts facts;
  facts.stats =
      copy_stats(upload_->items(),
                 std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count(),
                 request_.worker_count);
  facts.page_damage = upload_->damage().facts();
  return facts;
}

// The label ends the last archive: all of them are complete then.
void LocalToCloud::end(BackupJob& job) {
  if (server_.config().encryption == config::Encryption::gpg) {
    job.info.encryption = to_text(*server_.config().encryption);
  }
  cluster_.end(job, [&](const std::string& label) { upload_->finish(label); });
}

}  // namespace

std::unique_ptr<BackupSource> make_local_to_cloud(const server::Server& server,
                                                  const BackupRequest& request) {
  return std::make_unique<LocalToCloud>(server, request);
}

}  // namespace barman::backup
