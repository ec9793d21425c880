#include "client/archived_ahead.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <vector>

#include <fmt/format.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/private_directory.h"
#include "base/text.h"

namespace barman::client {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kFileName = "wal-archived-ahead";
constexpr std::string_view kHeader = "barman-wal-archive 2 ";
constexpr std::int64_t kBelievedForSeconds = 3600;
// Times of files are as exact as the kernel's clock ticks.
constexpr std::int64_t kSettledAfterSeconds = 2;
constexpr std::size_t kMaxFile = std::size_t{1} << 20;

}  // namespace

std::string untouched_state(const Fd& file, const fs::path& path) {
  struct stat status = {};
  if (::fstat(file.get(), &status) != 0) throw_errno("cannot access \"" + path.string() + "\"");
  if (::time(nullptr) - status.st_ctim.tv_sec < kSettledAfterSeconds) return {};
  return fmt::format("{}:{}:{}:{}.{}:{}.{}", status.st_dev, status.st_ino, status.st_size,
                     status.st_mtim.tv_sec, status.st_mtim.tv_nsec, status.st_ctim.tv_sec,
                     status.st_ctim.tv_nsec);
}

ArchivedAhead::ArchivedAhead(fs::path directory, std::string identity)
    : path_(directory / kFileName), identity_(std::move(identity)) {
  make_private_directory(directory, "--prefetch-cache-dir");
  const std::optional<std::string> text = find_and_read_file(path_, kMaxFile);
  if (!text) return;
  const std::vector<std::string> lines = split(*text, '\n');
  if (lines.size() < 2 || !lines[0].starts_with(kHeader) || lines[1] != identity_) return;
  const auto written = parse_integer(lines[0].substr(kHeader.size()));
  const std::int64_t age = written ? ::time(nullptr) - *written : -1;
  if (age < 0 || age > kBelievedForSeconds) return;
  for (std::size_t i = 2; i < lines.size(); ++i) {
    const std::vector<std::string> words = split(lines[i], ' ');
    if (words.size() == 3) sent_[words[0]] = {.sha256 = words[1], .state = words[2]};
  }
}

bool ArchivedAhead::holds(const std::string& name, const Fd& file, const fs::path& path) const {
  const std::optional<SentFile> sent = find(name);
  if (!sent) return false;
  if (!sent->state.empty() && sent->state == untouched_state(file, path)) return true;
  return sent->sha256 == digest_of_file(DigestAlgorithm::sha256, file, path);
}

bool ArchivedAhead::is_on_its_way(const std::string& name) const {
  const auto found = sent_.find(name);
  return found != sent_.end() && found->second.sha256.empty();
}

std::optional<SentFile> ArchivedAhead::find(const std::string& name) const {
  const auto found = sent_.find(name);
  if (found == sent_.end() || found->second.sha256.empty()) return std::nullopt;
  return found->second;
}

void ArchivedAhead::save() const {
  std::string text = fmt::format("{}{}\n{}\n", kHeader, ::time(nullptr), identity_);
  for (const auto& [name, sent] : sent_) {
    text += fmt::format("{} {} {}\n", name, sent.sha256, sent.state);
  }
  // Not flushed: whoever reads half of it believes nothing.
  const fs::path temporary = path_.string() + ".tmp";
  const Fd file = create_file(temporary, O_WRONLY);
  write_full(file, as_bytes(text), temporary);
  if (::rename(temporary.c_str(), path_.c_str()) != 0) {
    throw_errno("cannot rename \"" + temporary.string() + "\"");
  }
}

fs::path ArchivedAhead::default_directory(const RemoteBarman& barman) {
  const std::string key = fmt::format("{}:{}:{}", barman.host, barman.port.value_or("None"),
                                      barman.config_file.value_or("None"));
  return default_directory(barman.server, key);
}

fs::path ArchivedAhead::default_directory(const std::string& server, const std::string& key) {
  return fmt::format("/tmp/barman-{}-{}", server,
                     digest_of(DigestAlgorithm::sha256, key).substr(0, 16));
}

}  // namespace barman::client
