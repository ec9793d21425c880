// Files of any name in incoming/ and streaming/: none stops the archiver, and each ends where it
// belongs: hidden and temporary ones and those of file systems stay, others leave, and nothing is
// lost on the way.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <set>
#include <string>
#include <string_view>

#include "base/foreign_names.h"
#include "base/text.h"
#include "fuzz_target.h"
#include "wal_archive/archive_wal.h"
#include "wal_archive/wal_batch.h"
#include "wal_transfer/test_support.h"

namespace {

using namespace barman;
namespace fs = std::filesystem;

constexpr std::size_t kMostNames = 20;

std::set<std::string> parse_names(std::string_view text) {
  std::set<std::string> names;
  for (const std::string& name : split(std::string(text), '\n')) {
    const bool is_possible = !name.empty() && name.size() <= 255 && name != "." && name != ".." &&
                             name.find('/') == name.npos && name.find('\0') == name.npos;
    if (is_possible && names.size() < kMostNames) names.insert(name);
  }
  return names;
}

bool stays(const std::string& name) {
  return name.starts_with('.') || name.ends_with(".tmp") || is_name_of_file_system(name);
}

void check_batch(wal_archive::WalSource source, const std::set<std::string>& names) {
  std::vector<wal_archive::ReceivedFile> received;
  for (const std::string& name : names)
    received.push_back({.name = name, .size_bytes = name.size() % 2});
  const wal_archive::WalBatch batch = wal_archive::choose_batch(source, received, 0);
  const std::size_t placed =
      batch.files.size() + batch.unknown.size() + batch.empty_partials.size();
  const std::size_t kept = source == wal_archive::WalSource::streaming ? 1 : 0;
  if (placed > names.size() || placed + kept < names.size()) std::abort();
}

}  // namespace

BARMAN_FUZZ_TARGET(received_names) {
  static const wal_transfer::TestServer test;
  const std::set<std::string> names =
      parse_names(std::string_view(reinterpret_cast<const char*>(data), size));
  check_batch(wal_archive::WalSource::incoming, names);
  check_batch(wal_archive::WalSource::streaming, names);

  std::size_t leaving = 0;
  for (const std::string& name : names) {
    put_file(test.incoming(name), "x");
    if (!stays(name)) ++leaving;
  }
  wal_transfer::RecordedMessages messages;
  wal_archive::archive_pending_wal(test.make(), {}, messages);
  std::size_t moved = 0;
  if (fs::exists(test.config.errors_directory)) {
    moved = wal_transfer::list_names(test.config.errors_directory).size();
  }
  if (moved != leaving) std::abort();
  for (const std::string& name : wal_transfer::list_names(test.config.incoming_wals_directory)) {
    if (!stays(name)) std::abort();
    fs::remove(test.incoming(name));
  }
  fs::remove_all(test.config.errors_directory);
  return 0;
}
