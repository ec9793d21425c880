#include "restore/wal_decoder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"

namespace barman::restore {
namespace fs = std::filesystem;

OpenedWal open_wal(const fs::path& source, const std::vector<fs::path>& moves_to) {
  if (std::optional<Fd> file = find_file(source)) return {std::move(*file), source};
  for (const fs::path& place : moves_to) {
    if (std::optional<Fd> file = find_file(place)) return {std::move(*file), place};
  }
  throw Error(ErrorKind::not_found,
              fmt::format("WAL file \"{}\" is not there any more", source.string()),
              "Restore again.");
}

WalDecoder::WalDecoder(const wal_archive::WalCoding& coding, std::size_t worker_count,
                       Progress& progress, const Interrupt& interrupt)
    : coding_(coding), progress_(progress), interrupt_(interrupt), workers_(worker_count) {}

bool WalDecoder::take(const copy::CopyTask& task, const std::vector<fs::path>& moves_to) {
  interrupt_.throw_if_requested();
  OpenedWal opened = open_wal(task.source, moves_to);
  const wal_archive::WalStoredForm form = coding_.identify(opened.file, opened.path);
  if (form.is_plain() && moves_to.empty()) return false;
  copy::CopyTask found = task;
  found.source = opened.path;
  const auto shared = std::make_shared<const Fd>(std::move(opened.file));
  workers_.submit([this, found, form, shared] { decode(found, form, *shared); });
  return true;
}

void WalDecoder::decode(const copy::CopyTask& task, const wal_archive::WalStoredForm& form,
                        const Fd& source) {
  interrupt_.throw_if_requested();
  Fd destination =
      open_file(task.destination, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, task.mode);
  if (::fchmod(destination.get(), task.mode) != 0) {
    throw_errno(fmt::format("cannot set permissions of \"{}\"", task.destination.string()));
  }
  coding_.decode(form, source, task.source, destination.get(), task.destination);
  struct stat status = {};
  if (::fstat(destination.get(), &status) != 0) {
    throw_errno(fmt::format("cannot look at \"{}\"", task.destination.string()));
  }
  const auto size_bytes = static_cast<std::uint64_t>(status.st_size);
  if (task.minimum_size_bytes > size_bytes &&
      ::ftruncate(destination.get(), static_cast<off_t>(task.minimum_size_bytes)) != 0) {
    throw_errno(fmt::format("cannot extend \"{}\"", task.destination.string()));
  }
  sync_fd(destination, task.destination);
  destination.close(task.destination);
  progress_.advance(size_bytes);
}

}  // namespace barman::restore
