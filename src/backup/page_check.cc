#include "backup/page_check.h"

#include <sys/stat.h>

#include <array>
#include <cstddef>
#include <thread>

#include <fmt/format.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/log.h"
#include "base/log_components.h"
#include "base/text.h"

namespace barman::backup {
namespace {

constexpr std::size_t kMostShown = 10;
constexpr std::size_t kCheckBuffer = std::size_t{1} << 20;
// How often a page is read again whose checksum is wrong: PostgreSQL may be writing it.
constexpr int kPageReads = 20;

struct stat status_of_open(const Fd& file, const std::filesystem::path& path) {
  struct stat status = {};
  if (::fstat(file.get(), &status) != 0) {
    throw_errno(fmt::format("cannot look at \"{}\"", path.string()));
  }
  return status;
}

bool is_untouched(const struct stat& before, const struct stat& now) {
  return before.st_size == now.st_size && before.st_mtim.tv_sec == now.st_mtim.tv_sec &&
         before.st_mtim.tv_nsec == now.st_mtim.tv_nsec &&
         before.st_ctim.tv_sec == now.st_ctim.tv_sec &&
         before.st_ctim.tv_nsec == now.st_ctim.tv_nsec;
}

}  // namespace

void find_damaged_pages(Bytes data, std::uint64_t offset, const postgres::RelationFile& relation,
                        wal::Lsn checked_before, const OnDamagedPage& on_damaged) {
  for (std::size_t at = 0; at + postgres::kPageSize <= data.size(); at += postgres::kPageSize) {
    const auto block =
        relation.first_block + static_cast<std::uint32_t>((offset + at) / postgres::kPageSize);
    if (postgres::check_page(data.subspan(at, postgres::kPageSize), block, checked_before) ==
        postgres::PageState::damaged) {
      on_damaged(at, block);
    }
  }
}

std::vector<std::uint32_t> find_damaged_blocks_in(Bytes data, std::uint64_t offset,
                                                  const std::string& name, wal::Lsn checked_before,
                                                  const Fd& source,
                                                  const std::filesystem::path& source_path) {
  std::vector<std::uint32_t> blocks;
  const auto relation = postgres::parse_relation_path(name);
  if (!relation) return blocks;
  find_damaged_pages(
      data, offset, *relation, checked_before, [&](std::size_t place, std::uint32_t block) {
        std::array<std::byte, postgres::kPageSize> again;
        for (int read = 0; read < kPageReads; ++read) {
          std::this_thread::yield();
          const bool is_damaged =
              read_full_at(source, again, offset + place, source_path) == again.size() &&
              postgres::check_page(again, block, checked_before) == postgres::PageState::damaged;
          if (!is_damaged) return;
        }
        blocks.push_back(block);
      });
  return blocks;
}

std::vector<std::uint32_t> check_copied_file(const std::filesystem::path& path,
                                             const std::string& name, const FileChecks& checks,
                                             const std::function<void()>& require_going_on) {
  std::vector<std::uint32_t> blocks;
  const auto relation = checks.checked_before ? postgres::parse_relation_path(name) : std::nullopt;
  if (!relation && checks.digests == nullptr) return blocks;
  const std::optional<Fd> file = find_file(path);
  if (!file) return blocks;
  const struct stat before = status_of_open(*file, path);
  Digest digest(checks.digests != nullptr ? DigestAlgorithm::sha256 : DigestAlgorithm::none);
  thread_local std::vector<std::byte> buffer(kCheckBuffer);
  std::uint64_t offset = 0;
  while (const std::size_t size = read_full_at(*file, MutableBytes(buffer), offset, path)) {
    require_going_on();
    const Bytes data = Bytes(buffer).first(size);
    digest.update(data);
    if (relation) {
      find_damaged_pages(data, offset, *relation, *checks.checked_before,
                         [&](std::size_t, std::uint32_t block) { blocks.push_back(block); });
    }
    offset += size;
  }
  if (checks.digests != nullptr && is_untouched(before, status_of_open(*file, path))) {
    checks.digests->add(before, digest.finish());
  }
  return blocks;
}

void PageDamageList::add(const std::string& name, std::uint32_t block) {
  const std::string text = fmt::format("{}: block {}", name, block);
  log::error(log::kBackupComponent, "wrong checksum in {}", text);
  const std::lock_guard lock(mutex_);
  ++count_;
  if (pages_.size() < kMostShown) pages_.push_back(text);
}

std::optional<PageDamage> PageDamageList::facts() const {
  const std::lock_guard lock(mutex_);
  if (count_ == 0) return std::nullopt;
  return PageDamage{.finder = "Barman found corrupt pages while it copied",
                    .details = fmt::format("{} in total, {}", count_, join(pages_, "; "))};
}

}  // namespace barman::backup
