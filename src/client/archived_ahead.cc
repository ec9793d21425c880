#include "client/archived_ahead.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <vector>

#include <fmt/format.h>

#include "base/digest.h"
#include "base/durable.h"
#include "base/error.h"
#include "base/text.h"

namespace barman::client {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kFileName = "wal-archived-ahead";
constexpr std::string_view kHeader = "barman-wal-archive 1 ";
constexpr std::int64_t kBelievedForSeconds = 3600;
constexpr std::size_t kMaxFile = std::size_t{1} << 20;

void require_safe(const fs::path& directory) {
  struct stat status = {};
  if (::lstat(directory.c_str(), &status) != 0) {
    throw_errno("cannot access \"" + directory.string() + "\"");
  }
  if (!S_ISDIR(status.st_mode) || status.st_uid != ::geteuid() || (status.st_mode & 022) != 0) {
    throw Error(
        ErrorKind::permission,
        fmt::format("\"{}\" is not a directory that only this user can write", directory.string()),
        "Remove it, or name another one with --prefetch-cache-dir.");
  }
}

}  // namespace

ArchivedAhead::ArchivedAhead(fs::path directory, const RemoteBarman& barman)
    : path_(directory / kFileName), identity_(barman.identity()) {
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
    throw_errno("cannot create directory \"" + directory.string() + "\"");
  }
  require_safe(directory);
  const std::optional<std::string> text = find_and_read_file(path_, kMaxFile);
  if (!text) return;
  const std::vector<std::string> lines = split(*text, '\n');
  if (lines.size() < 2 || !lines[0].starts_with(kHeader) || lines[1] != identity_) return;
  const auto written = parse_integer(lines[0].substr(kHeader.size()));
  const std::int64_t age = written ? ::time(nullptr) - *written : -1;
  if (age < 0 || age > kBelievedForSeconds) return;
  for (std::size_t i = 2; i < lines.size(); ++i) {
    const std::vector<std::string> words = split(lines[i], ' ');
    if (words.size() == 2) sha256_by_name_[words[0]] = words[1];
  }
}

bool ArchivedAhead::holds(const std::string& name, const Fd& file, const fs::path& path) const {
  const auto found = sha256_by_name_.find(name);
  return found != sha256_by_name_.end() &&
         found->second == digest_of_file(DigestAlgorithm::sha256, file, path);
}

void ArchivedAhead::add(const std::string& name, const std::string& sha256) {
  sha256_by_name_[name] = sha256;
}

void ArchivedAhead::save(const std::string& done_name) {
  std::erase_if(sha256_by_name_, [&](const auto& entry) { return entry.first <= done_name; });
  std::string text = fmt::format("{}{}\n{}\n", kHeader, ::time(nullptr), identity_);
  for (const auto& [name, sha256] : sha256_by_name_) text += fmt::format("{} {}\n", name, sha256);
  write_file_durably(path_, text, 0600);
}

fs::path ArchivedAhead::default_directory(const RemoteBarman& barman) {
  const std::string key = fmt::format("{}:{}:{}", barman.host, barman.port.value_or("None"),
                                      barman.config_file.value_or("None"));
  return fmt::format("/tmp/barman-{}-{}", barman.server,
                     digest_of(DigestAlgorithm::sha256, key).substr(0, 16));
}

}  // namespace barman::client
