#include "wal_archive/object_writer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <set>
#include <utility>

#include "base/anonymous_file.h"
#include "base/durable.h"
#include "base/error.h"
#include "base/retry.h"
#include "pipeline/file_transfer.h"

namespace barman::wal_archive {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kCopyBytes = std::size_t{1} << 20;

std::uint64_t size_of(const Fd& file, const fs::path& path) {
  struct stat status = {};
  if (::fstat(file.get(), &status) != 0) throw_errno("cannot access \"" + path.string() + "\"");
  return static_cast<std::uint64_t>(status.st_size);
}

// Without finish().
std::uint64_t write_all(const OpenWal& wal, pipeline::Sink& sink) {
  std::vector<std::byte> buffer(kCopyBytes);
  for (std::uint64_t offset = 0;;) {
    const std::size_t size = read_full_at(wal.file, buffer, offset, wal.path);
    if (size > 0) sink.write(Bytes(buffer).first(size));
    offset += size;
    if (size < buffer.size()) return offset;
  }
}

}  // namespace

void FileRemover::operator()(fs::path* path) const noexcept {
  const std::unique_ptr<fs::path> owned(path);
  if (!owned->empty()) ::unlink(owned->c_str());
}

PreparedWal ObjectWriter::prepare(const std::string& key, const OpenWal& wal,
                                  const CodingSteps& steps, storage::IfPresent if_present) const {
  if (const storage::LocalDirectory* const local = storage_.local()) {
    return prepare_file(*local, key, wal, steps);
  }
  PreparedWal prepared;
  prepared.key_ = key;
  std::unique_ptr<pipeline::Sink> sink = storage_.create(key, if_present);
  if (steps.is_nothing()) {
    prepared.size_bytes_ = write_all(wal, *sink);
  } else {
    const Fd encoded = open_memory_file();
    coding_.encode(steps, wal.file, wal.path, encoded, wal.path);
    prepared.size_bytes_ = write_all({encoded, wal.path}, *sink);
  }
  if (if_present == storage::IfPresent::refuse) {
    sink->finish();
  } else {
    prepared.sink_ = std::move(sink);
  }
  return prepared;
}

PreparedWal ObjectWriter::prepare_file(const storage::LocalDirectory& local, const std::string& key,
                                       const OpenWal& wal, const CodingSteps& steps) const {
  // The removal of old WAL takes empty directories along, until the first file of this group is in.
  return while_directory_goes(local.path_of(key).parent_path(), [&] {
    PreparedWal prepared;
    prepared.key_ = key;
    const fs::path path = local.prepare(key);
    prepared.temporary_.reset(std::make_unique<fs::path>(path).release());
    if (steps.is_nothing()) {
      sync_fd(wal.file, wal.path);
      pipeline::link_or_copy(wal.file, wal.path, path);
      prepared.size_bytes_ = size_of(wal.file, wal.path);
    } else {
      encode_file(wal, steps, path);
      prepared.size_bytes_ = static_cast<std::uint64_t>(find_status(path).value().st_size);
    }
    return prepared;
  });
}

// The result has the mode and the times of the received file.
void ObjectWriter::encode_file(const OpenWal& wal, const CodingSteps& steps,
                               const fs::path& path) const {
  struct stat status = {};
  if (::fstat(wal.file.get(), &status) != 0) {
    throw_errno("cannot access \"" + wal.path.string() + "\"");
  }
  Fd target = create_file(path, O_RDWR);
  coding_.encode(steps, wal.file, wal.path, target, path);
  pipeline::set_mode_and_times(target, path, status);
  sync_fd(target, path);
  target.close(path);
}

void ObjectWriter::publish(std::span<PreparedWal* const> prepared,
                           std::span<const std::string> present) const {
  const storage::LocalDirectory* const local = storage_.local();
  if (local == nullptr) {
    for (PreparedWal* const wal : prepared) {
      if (wal->sink_) wal->sink_->finish();
      wal->sink_.reset();
    }
    return;
  }
  std::vector<std::string> keys;
  std::set<fs::path> directories;
  for (const PreparedWal* const wal : prepared) keys.push_back(wal->key_);
  for (const std::string& key : present) directories.insert(local->path_of(key).parent_path());
  if (!keys.empty()) local->publish(keys);
  for (PreparedWal* const wal : prepared) {
    wal->temporary_->clear();
    directories.erase(local->path_of(wal->key_).parent_path());
  }
  for (const fs::path& directory : directories) {
    // Of duplicates that have been removed meanwhile, with all that was there.
    if (find_status(directory)) sync_directory(directory);
  }
}

}  // namespace barman::wal_archive
