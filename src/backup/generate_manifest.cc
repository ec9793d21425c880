#include "backup/generate_manifest.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <ctime>
#include <vector>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "base/digest.h"
#include "base/durable.h"
#include "base/error.h"
#include "base/fd.h"
#include "catalogue/backup_files.h"
#include "postgres/backup_manifest.h"
#include "stored/backup_store.h"

namespace barman::backup {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kBufferSize = std::size_t{1} << 20;

// "2026-11-21 05:27:30 GMT"
std::string modification_text(std::time_t time) {
  std::tm parts = {};
  ::gmtime_r(&time, &parts);
  return fmt::format("{:%Y-%m-%d %H:%M:%S} GMT", parts);
}

[[noreturn]] void refuse_link(const fs::path& path) {
  throw Error(ErrorKind::corrupt,
              "\"" + path.string() + "\" of the backup is neither a file nor a directory",
              "Backups hold no links: what it leads to is not part of this one.");
}

class FileDescriber {
 public:
  FileDescriber(Progress& progress, const Interrupt& interrupt)
      : progress_(progress), interrupt_(interrupt) {}

  postgres::ManifestFile describe(const fs::path& path, std::string relative_path) {
    const Fd fd = open_file(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    struct stat status = {};
    if (::fstat(fd.get(), &status) != 0) throw_errno("cannot access \"" + path.string() + "\"");
    if (!S_ISREG(status.st_mode)) refuse_link(path);
    Digest digest(DigestAlgorithm::sha256);
    std::uint64_t size_bytes = 0;
    for (;;) {
      interrupt_.throw_if_requested();
      const std::size_t size = read_full(fd, buffer_, path);
      if (size == 0) break;
      digest.update(Bytes(buffer_).first(size));
      size_bytes += size;
      progress_.advance(size);
    }
    return {.path = std::move(relative_path),
            .size_bytes = size_bytes,
            .last_modified = modification_text(status.st_mtim.tv_sec),
            .algorithm = DigestAlgorithm::sha256,
            .checksum = digest.finish()};
  }

 private:
  Progress& progress_;
  const Interrupt& interrupt_;
  std::vector<std::byte> buffer_ = std::vector<std::byte>(kBufferSize);
};

bool is_present(const fs::path& path) { return find_status(path, Links::refuse).has_value(); }

}  // namespace

void generate_manifest(const catalogue::Catalogue& catalogue, const catalogue::BackupId& id,
                       Progress& progress, const Interrupt& interrupt) {
  const fs::path data = catalogue.data_directory(id);
  const fs::path manifest = stored::BackupStore(catalogue).manifest_path(id);
  if (is_present(manifest)) {
    throw Error(ErrorKind::internal, fmt::format("File {} already exists.", manifest.string()));
  }
  if (fs::is_symlink(fs::symlink_status(data))) {
    throw Error(ErrorKind::corrupt,
                "\"" + data.string() + "\" is a symbolic link, and nothing is written through it",
                "Mount the place that it leads to instead.");
  }
  if (!is_present(data)) {
    throw Error(ErrorKind::not_found,
                fmt::format("backup {} has no data directory \"{}\"", id.value, data.string()));
  }
  AtomicFile file(manifest);
  postgres::ManifestWriter writer([&](std::string_view text) { file.write(text); }, std::nullopt);
  FileDescriber describer(progress, interrupt);
  progress.begin("Generating the backup manifest", 0);
  catalogue::visit_files(data, catalogue::EmptyDirectories::leave_out, [&](const fs::path& path) {
    if (path == file.temporary_path()) return;
    if (fs::is_symlink(fs::symlink_status(path))) refuse_link(path);
    std::string relative_path = path.lexically_relative(data).string();
    progress.set_item(relative_path);
    writer.add_file(describer.describe(path, std::move(relative_path)));
  });
  writer.finish();
  file.commit();
  progress.end();
}

}  // namespace barman::backup
