#include "backup/page_check.h"

#include <array>
#include <memory>
#include <thread>

#include <fmt/format.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/log_components.h"
#include "base/text.h"
#include "postgres/page_checksum.h"

namespace barman::backup {
namespace {

constexpr std::size_t kMostShown = 10;
constexpr std::size_t kCheckBuffer = std::size_t{1} << 20;
// How often a page is read again whose checksum is wrong: PostgreSQL may be writing it.
constexpr int kPageReads = 20;

}  // namespace

std::vector<std::uint32_t> find_damaged_blocks(const std::filesystem::path& path,
                                               const std::string& name, wal::Lsn checked_before,
                                               const std::function<void()>& require_going_on) {
  std::vector<std::uint32_t> blocks;
  const auto relation = postgres::parse_relation_path(name);
  if (!relation) return blocks;
  const std::optional<Fd> file = find_file(path);
  if (!file) return blocks;
  thread_local std::vector<std::byte> buffer(kCheckBuffer);
  std::uint64_t offset = 0;
  while (const std::size_t size = read_full_at(*file, MutableBytes(buffer), offset, path)) {
    require_going_on();
    const Bytes data = Bytes(buffer).first(size);
    for (std::size_t at = 0; at + postgres::kPageSize <= size; at += postgres::kPageSize) {
      const auto block =
          relation->first_block + static_cast<std::uint32_t>((offset + at) / postgres::kPageSize);
      if (postgres::check_page(data.subspan(at, postgres::kPageSize), block, checked_before) ==
          postgres::PageState::damaged) {
        blocks.push_back(block);
      }
    }
    offset += size;
  }
  return blocks;
}

std::vector<std::uint32_t> find_damaged_blocks_in(Bytes data, std::uint64_t offset,
                                                  const std::string& name, wal::Lsn checked_before,
                                                  const Fd& source,
                                                  const std::filesystem::path& source_path) {
  std::vector<std::uint32_t> blocks;
  const auto relation = postgres::parse_relation_path(name);
  if (!relation) return blocks;
  for (std::size_t at = 0; at + postgres::kPageSize <= data.size(); at += postgres::kPageSize) {
    const std::uint64_t place = offset + at;
    const auto block =
        relation->first_block + static_cast<std::uint32_t>(place / postgres::kPageSize);
    const auto is_damaged = [&](Bytes page) {
      return postgres::check_page(page, block, checked_before) == postgres::PageState::damaged;
    };
    if (!is_damaged(data.subspan(at, postgres::kPageSize))) continue;
    std::array<std::byte, postgres::kPageSize> again;
    bool stays = true;
    for (int read = 0; read < kPageReads && stays; ++read) {
      std::this_thread::yield();
      stays = read_full_at(source, again, place, source_path) == again.size() && is_damaged(again);
    }
    if (stays) blocks.push_back(block);
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
