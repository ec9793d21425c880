#include "restore/partial_copies.h"

#include <fcntl.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "pipeline/sink.h"
#include "wal/wal_file_name.h"
#include "wal_archive/wal_archive.h"

namespace barman::restore {
namespace fs = std::filesystem;

namespace {

constexpr std::string_view kCopiesComponent = "barman.recovery_executor";

class CopySink final : public pipeline::Sink {
 public:
  void write(Bytes data) override { bytes.insert(bytes.end(), data.begin(), data.end()); }
  void finish() override {}
  std::vector<std::byte> bytes;
};

using CopyContent = std::vector<std::byte>;

CopyContent read_archived_copy(const wal_archive::WalArchive& archive, const std::string& name) {
  const std::optional<wal_archive::StoredWal> wal = archive.find(name);
  if (!wal) throw Error(ErrorKind::not_found, name + " is not archived any more");
  CopySink content;
  archive.read(*wal, content);
  return std::move(content.bytes);
}

CopyContent read_received_copy(const wal_archive::ReceivedWal& received) {
  CopyContent content(static_cast<std::size_t>(received.size_bytes));
  content.resize(read_full_at(open_file(received.path, O_RDONLY), content, 0, received.path));
  return content;
}

// Behind the end the receiver's has zeroes, and the server's may have old records.
bool has_all_of(const CopyContent& copy, Bytes content) {
  const auto end = std::find_if(content.rbegin(), content.rend(),
                                [](std::byte byte) { return byte != std::byte{0}; });
  return content.rend() - end <= static_cast<std::ptrdiff_t>(copy.size()) &&
         std::equal(content.begin(), end.base(), copy.begin());
}

class PartialCopies {
 public:
  explicit PartialCopies(const RestoreFacts& facts) : facts_(facts) {}

  bool is_superfluous(const wal_archive::ReceivedWal& received) const {
    const std::string text = received.path.filename().string();
    const auto name = wal::parse_wal_file_name(text);
    if (!name || name->kind != wal::WalFileKind::partial) return false;
    const bool is_archived = std::any_of(facts_.wal.begin(), facts_.wal.end(),
                                         [&](const auto& entry) { return entry.name == text; });
    const auto other =
        std::find_if(facts_.received.begin(), facts_.received.end(),
                     [&](const wal_archive::ReceivedWal& candidate) {
                       return candidate.path != received.path && candidate.path.filename() == text;
                     });
    if (!is_archived && other == facts_.received.end()) return false;
    // One that cannot be read or compared stays, as ever.
    try {
      const CopyContent content = read_received_copy(received);
      if (is_archived && has_all_of(read_archived_copy(facts_.archive, text), content)) {
        return true;
      }
      return other != facts_.received.end() && has_all_of(read_received_copy(*other), content);
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::interrupted) throw;
      log::warning(kCopiesComponent, "cannot compare {} with other copies: {}",
                   received.path.string(), error.describe());
      return false;
    }
  }

 private:
  const RestoreFacts& facts_;
};

}  // namespace

void drop_shorter_partials(RestoreFacts& facts) {
  // One at a time: of two that are the same, one stays.
  for (std::size_t i = 0; i < facts.received.size();) {
    if (PartialCopies(facts).is_superfluous(facts.received[i])) {
      facts.received.erase(facts.received.begin() + static_cast<std::ptrdiff_t>(i));
    } else {
      ++i;
    }
  }
}

bool has_content_of(const fs::path& received, Bytes own) {
  return has_all_of(read_received_copy({.path = received, .size_bytes = fs::file_size(received)}),
                    own);
}

bool has_content_of(const fs::path& received, const fs::path& own) {
  try {
    return has_content_of(received,
                          read_received_copy({.path = own, .size_bytes = fs::file_size(own)}));
  } catch (const std::exception& error) {  // It is kept then, and told.
    log::debug(kCopiesComponent, "{}", error.what());
    return false;
  }
}

}  // namespace barman::restore
