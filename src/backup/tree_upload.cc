#include "backup/tree_upload.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/log_components.h"
#include "base/worker_pool.h"

namespace barman::backup {
namespace {

namespace fs = std::filesystem;

using pipeline::TarMember;
using pipeline::TarMemberType;
using UploadClock = std::chrono::steady_clock;

constexpr std::size_t kUploadBuffer = std::size_t{1} << 20;

MutableBytes upload_buffer() {
  thread_local std::vector<std::byte> buffer(kUploadBuffer);
  return buffer;
}

// As tar names members at the root of a data directory: "./PG_VERSION", "base/1/2619".
std::string member_path(const std::string& path, bool is_data_directory) {
  if (path.empty()) return ".";
  return is_data_directory && path.find('/') == std::string::npos ? "./" + path : path;
}

TarMember member_of(std::string path, TarMemberType type, const struct stat& status) {
  TarMember member;
  member.path = std::move(path);
  member.type = type;
  member.mode = status.st_mode & 07777U;
  member.size_bytes =
      type == TarMemberType::regular ? static_cast<std::uint64_t>(status.st_size) : 0;
  member.mtime = status.st_mtim.tv_sec;
  member.uid = status.st_uid;
  member.gid = status.st_gid;
  return member;
}

// What was cut meanwhile is filled up to the size that was told.
void write_zeroes(std::uint64_t size_bytes, pipeline::TarVisitor& archive) {
  static constexpr std::array<std::byte, 65536> kZeroes{};
  while (size_bytes > 0) {
    const std::size_t step = std::min<std::uint64_t>(size_bytes, kZeroes.size());
    archive.write(Bytes(kZeroes).first(step));
    size_bytes -= step;
  }
}

struct stat status_of(const Fd& file, const fs::path& path) {
  struct stat status = {};
  if (::fstat(file.get(), &status) != 0) {
    throw_errno(fmt::format("cannot look at \"{}\"", path.string()));
  }
  return status;
}

class TreeUpload final : public SourceVisitor {
 public:
  TreeUpload(const UploadedTree& tree, const TreeUploadOptions& options,
             stored::ArchiveSet& archives, PageDamageList& damage)
      : tree_(tree),
        options_(options),
        archives_(archives),
        damage_(damage),
        workers_(options.worker_count) {}

  double run() {
    walk_source(tree_.source, *this);
    workers_.wait();
    return static_cast<double>(serial_ns_) / 1e9;
  }

  void enter(const std::string& path, const struct stat& status) override {
    // Archives of tablespaces have no entry of their root.
    if (path.empty() && !tree_.source.is_data_directory) return;
    submit([this, path, status] { put_directory(path, status); });
  }
  void file(const std::string& path, const struct stat&) override {
    submit([this, path] { put_file(path); });
  }
  void dangling_link(const std::string& path) override {
    submit([this, path] { put_link(path); });
  }
  bool goes_on() override {
    options_.require_going_on();
    return !workers_.has_failed();  // wait() tells
  }

 private:
  using Task = std::function<void()>;

  void submit(Task task) {
    workers_.submit([this, task = std::move(task)] {
      options_.require_going_on();
      const auto begun = UploadClock::now();
      task();
      serial_ns_ +=
          std::chrono::duration_cast<std::chrono::nanoseconds>(UploadClock::now() - begun).count();
    });
  }

  std::string name_in_archive(const std::string& path) const {
    return member_path(path, tree_.source.is_data_directory);
  }

  void put_directory(const std::string& path, const struct stat& status) {
    archives_.with_archive([&](pipeline::TarVisitor& archive) {
      archive.begin_member(member_of(name_in_archive(path), TarMemberType::directory, status));
      archive.end_member();
    });
  }

  void put_link(const std::string& path) {
    const fs::path link = tree_.source.root / path;
    const auto status = find_status(link, Links::refuse);
    std::error_code code;
    const fs::path target = fs::read_symlink(link, code);
    if (!status || code) return;
    log::warning(log::kBackupComponent, "\"{}\" leads nowhere", link.string());
    archives_.with_archive([&](pipeline::TarVisitor& archive) {
      TarMember member = member_of(name_in_archive(path), TarMemberType::symlink, *status);
      member.link_target = target.string();
      archive.begin_member(member);
      archive.end_member();
    });
  }

  void put_file(const std::string& path) {
    const fs::path source = tree_.source.root / path;
    const std::optional<Fd> file = find_file(source, Links::follow);
    if (!file) return;  // It has gone since, and WAL says so.
    const struct stat status = status_of(*file, source);
    archives_.with_archive([&](pipeline::TarVisitor& archive) {
      archive.begin_member(member_of(name_in_archive(path), TarMemberType::regular, status));
      write_content(path, *file, source, static_cast<std::uint64_t>(status.st_size), archive);
      archive.end_member();
    });
  }

  void write_content(const std::string& path, const Fd& file, const fs::path& source,
                     std::uint64_t size_bytes, pipeline::TarVisitor& archive) {
    const MutableBytes buffer = upload_buffer();
    const std::string name = tree_.prefix + path;
    std::uint64_t offset = 0;
    while (offset < size_bytes) {
      options_.require_going_on();
      const std::size_t wanted = std::min<std::uint64_t>(buffer.size(), size_bytes - offset);
      const std::size_t size = read_full_at(file, buffer.first(wanted), offset, source);
      const Bytes data = Bytes(buffer).first(size);
      check_pages(data, offset, name, file, source);
      archive.write(data);
      offset += size;
      if (size < wanted) break;
    }
    write_zeroes(size_bytes - offset, archive);
  }

  void check_pages(Bytes data, std::uint64_t offset, const std::string& name, const Fd& file,
                   const fs::path& source) {
    if (!options_.checked_before) return;
    for (const std::uint32_t block :
         find_damaged_blocks_in(data, offset, name, *options_.checked_before, file, source)) {
      damage_.add(name, block);
    }
  }

  const UploadedTree& tree_;
  const TreeUploadOptions& options_;
  stored::ArchiveSet& archives_;
  PageDamageList& damage_;
  std::atomic<std::int64_t> serial_ns_ = 0;
  WorkerPool workers_;  // after what its threads use
};

}  // namespace

double upload_tree(const UploadedTree& tree, const TreeUploadOptions& options,
                   stored::ArchiveSet& archives, PageDamageList& damage) {
  return TreeUpload(tree, options, archives, damage).run();
}

bool upload_file(const fs::path& path, const std::string& name, stored::ArchiveSet& archives) {
  const std::optional<Fd> file = find_file(path, Links::follow);
  if (!file) return false;
  const struct stat status = status_of(*file, path);
  const std::string content = read_file(path, kMaxSmallFile, Links::follow);
  archives.with_archive([&](pipeline::TarVisitor& archive) {
    TarMember member = member_of(name, TarMemberType::regular, status);
    member.size_bytes = content.size();
    archive.begin_member(member);
    archive.write(as_bytes(content));
    archive.end_member();
  });
  return true;
}

void upload_text(const UploadedText& text, const fs::path& directory,
                 stored::ArchiveSet& archives) {
  const struct stat owner = find_status(directory).value();
  archives.with_archive([&](pipeline::TarVisitor& archive) {
    TarMember member;
    member.path = text.name;
    member.mode = text.mode;
    member.size_bytes = text.content.size();
    member.mtime = text.mtime;
    member.uid = owner.st_uid;
    member.gid = owner.st_gid;
    archive.begin_member(member);
    archive.write(as_bytes(text.content));
    archive.end_member();
  });
}

}  // namespace barman::backup
