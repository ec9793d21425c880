// The small files of a catalogue with any content: keep annotations, identity.json, lock files.
// Whatever a keep annotation says, the backup is kept; a deletion mark is one even when empty.
#include <fcntl.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/error.h"
#include "base/file_lock.h"
#include "base/test_support.h"
#include "catalogue/catalogue.h"
#include "catalogue/last_reason.h"
#include "catalogue/test_support.h"
#include "fuzz_target.h"

namespace {

using namespace barman;

void put(const std::filesystem::path& path, std::string_view content) {
  Fd fd = open_file(path, O_WRONLY | O_CREAT | O_TRUNC);
  write_full(fd, as_bytes(content), path);
}

}  // namespace

BARMAN_FUZZ_TARGET(catalogue_files) {
  static const TemporaryDirectory home;
  static const catalogue::Catalogue files(
      catalogue::default_locations("main", home.path() / "main"));
  static const bool is_made = std::filesystem::create_directories(files.locations().meta_directory);
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const catalogue::BackupId id{"20261121T014237"};
  const catalogue::CatalogueLocations& places = files.locations();

  put(places.meta_directory / "20261121T014237-keep", text);
  put(places.meta_directory / "20261121T014237-delete_this", text);
  const catalogue::Annotations annotations = files.list_annotations();
  if (!is_made || !annotations.keeps.contains(id) || !files.find_keep(id)) std::abort();
  if (!annotations.being_deleted.contains(id) || !files.is_being_deleted(id)) std::abort();

  put(places.backup_directory / "identity.json", text);
  try {
    files.find_identity();
  } catch (const Error&) {
    // Refusing is right.
  }

  put(places.backup_directory / ".last-reason-archive-wal", text);
  const auto reason = catalogue::find_last_reason(places.backup_directory, "archive-wal");
  if (reason && (reason->text.empty() || reason->text.find('\n') != std::string::npos)) {
    std::abort();
  }

  const std::filesystem::path lock = catalogue::cron_lock(places.locks());
  const auto held = FileLock::try_lock(lock);
  put(lock, text);
  const auto holder = FileLock::holder(lock);
  if (!held || !holder) std::abort();
  catalogue::list_processes(places.locks());
  return 0;
}
