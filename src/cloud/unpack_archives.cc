#include "cloud/unpack_archives.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <mutex>
#include <utility>

#include <fmt/format.h>

#include "backup/copied_cluster.h"
#include "base/durable.h"
#include "base/error.h"
#include "base/log.h"
#include "base/log_components.h"
#include "base/worker_pool.h"
#include "compression/codec.h"
#include "pipeline/relative_path.h"
#include "pipeline/tar_reader.h"
#include "pipeline/tree_writer.h"
#include "storage/object_text.h"

namespace barman::cloud {
namespace {

namespace fs = std::filesystem;

using pipeline::TarMember;
using pipeline::TarMemberType;

// Larger ones at the root are written at once.
constexpr std::uint64_t kMaxHeldFile = std::uint64_t{1} << 20;
// Of all archives together, nearly.
constexpr std::size_t kFileWriters = 4;

// A second name of a file.
struct HardLink {
  fs::path path;
  fs::path target;
};

// Of all archives: what waits for the others.
class HeldFiles {
 public:
  void add(HardLink link) {
    const std::lock_guard lock(mutex_);
    links_.push_back(std::move(link));
  }
  void make_links() const {
    for (const HardLink& link : links_) {
      if (::unlink(link.path.c_str()) != 0 && errno != ENOENT) {
        throw_errno(fmt::format("cannot replace \"{}\"", link.path.string()));
      }
      if (::link(link.target.c_str(), link.path.c_str()) != 0) {
        throw_errno(
            fmt::format("cannot link \"{}\" to \"{}\"", link.path.string(), link.target.string()));
      }
      sync_directory(link.path.parent_path());
    }
  }
  void add(const std::string& path, UnpackedFile file) {
    const std::lock_guard lock(mutex_);
    const auto [entry, is_new] = files_.try_emplace(path, file);
    // Within one archive, and among archives, the last one counts.
    if (!is_new && file.number >= entry->second.number) entry->second = std::move(file);
  }
  std::map<std::string, UnpackedFile> take() { return std::move(files_); }

 private:
  std::mutex mutex_;
  std::map<std::string, UnpackedFile> files_;
  std::vector<HardLink> links_;
};

// Members of one archive on their way to their places.
class Unpacker final : public pipeline::TarVisitor {
 public:
  Unpacker(const UnpackPlan::Item& item, pipeline::FileWriters& writers, HeldFiles& held,
           const Interrupt& interrupt)
      : item_(item),
        held_(held),
        interrupt_(interrupt),
        tree_(item.root, writers,
              {.map_link = [](const TarMember& member) { return map_link(member); },
               .makes_parents = true}) {}

  void begin_member(const TarMember& member) override {
    interrupt_.throw_if_requested();
    place_ = place_of(member);
    switch (place_) {
      case Place::tree:
        return tree_.begin_member(member);
      case Place::held:
        path_ = member.path;
        file_ = {.content = {},
                 .mode = member.mode | 0600U,
                 .uid = member.uid,
                 .gid = member.gid,
                 .number = item_.archive.name.number};
        return;
      case Place::later:
        return held_.add(
            {.path = pipeline::path_below(item_.root, member.path, "an archive"),
             .target = pipeline::path_below(item_.root, link_target_of(member), "an archive")});
      case Place::nowhere:
        log::warning(log::kBackupComponent, "\"{}\" is no file, and left out",
                     (item_.root / member.path).string());
    }
  }
  void write(Bytes data) override {
    if (place_ == Place::tree) tree_.write(data);
    if (place_ == Place::held) file_.content += as_text(data);
  }
  void end_member() override {
    if (place_ == Place::tree) tree_.end_member();
    if (place_ == Place::held) held_.add(path_, std::move(file_));
  }
  void finish() { tree_.finish(); }

 private:
  enum class Place { tree, held, later, nowhere };

  Place place_of(const TarMember& member) const {
    if (member.type == TarMemberType::hard_link) return Place::later;
    if (member.type == TarMemberType::fifo) return Place::nowhere;
    if (member.type != TarMemberType::regular || item_.archive.name.tablespace_oid != 0 ||
        member.size_bytes > kMaxHeldFile) {
      return Place::tree;
    }
    const bool is_at_root = member.path.find('/') == std::string::npos;
    return is_at_root || member.path == backup::kControlFileName ? Place::held : Place::tree;
  }

  static std::string link_target_of(const TarMember& member) {
    const std::string& target = member.link_target;
    return target.starts_with("./") ? target.substr(2) : target;
  }

  // Those of tablespaces are made for the places that were chosen.
  static std::optional<std::string> map_link(const TarMember& member) {
    if (pipeline::tablespace_oid_of(member.path)) return std::nullopt;
    return member.link_target;
  }

  const UnpackPlan::Item& item_;
  HeldFiles& held_;
  const Interrupt& interrupt_;
  pipeline::TreeWriter tree_;
  Place place_ = Place::tree;
  std::string path_;
  UnpackedFile file_;
};

void unpack(const storage::Storage& storage, const UnpackPlan& plan, const UnpackPlan::Item& item,
            HeldFiles& held) {
  const std::size_t at_once = std::clamp<std::size_t>(plan.jobs, 1, plan.items.size());
  pipeline::FileWriters writers(item.root, std::max<std::size_t>(kFileWriters / at_once, 1));
  Unpacker unpacker(item, writers, held, plan.interrupt);
  const std::string name = item.archive.key;
  pipeline::TarReader tar(unpacker, name, pipeline::TarEnd::required, pipeline::TarTypes::all);
  if (item.archive.name.compression) {
    const auto decompressor =
        compression::make_decompressor(*item.archive.name.compression, tar, name);
    push_object(storage, item.archive.key, *decompressor);
  } else {
    push_object(storage, item.archive.key, tar);
  }
  unpacker.finish();
  writers.wait();
}

}  // namespace

std::map<std::string, UnpackedFile> unpack_archives(const storage::Storage& storage,
                                                    const UnpackPlan& plan) {
  HeldFiles held;
  if (plan.items.empty()) return {};
  WorkerPool workers(std::clamp<std::size_t>(plan.jobs, 1, plan.items.size()));
  for (const UnpackPlan::Item& item : plan.items) {
    workers.submit([&] { unpack(storage, plan, item, held); });
  }
  workers.wait();
  held.make_links();
  return held.take();
}

}  // namespace barman::cloud
