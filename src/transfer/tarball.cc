#include "transfer/tarball.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <exception>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/digest.h"
#include "base/text.h"
#include "compression/codec.h"

namespace barman::transfer {
namespace fs = std::filesystem;

namespace {

constexpr std::size_t kImportBufferSize = std::size_t{1} << 20;
constexpr std::array<std::string_view, 4> kExtensions = {".tar", ".tar.gz", ".tar.bz2", ".tar.xz"};

constexpr const char* kCopyAnew =
    "Copy the file anew from where 'barman export-backup' has made it.";

}  // namespace

Error refused_tarball(const std::string& text) { return refused_tarball(text, kCopyAnew); }

Error refused_tarball(const std::string& text, const std::string& hint) {
  return {ErrorKind::corrupt, text, hint};
}

TarballName parse_tarball_name(const std::string& name, const std::string& server_name) {
  const auto wrong = [&](const std::string& reason) {
    return refused_tarball(
        fmt::format("Tarball filename does not match the expected export format "
                    "'backup-export-SERVER_NAME-BACKUP_ID-TIMESTAMP-CHECKSUM.tar': "
                    "'{}'. {}",
                    name, reason),
        fmt::format("Give it the name back that 'barman export-backup {}' has given it: its "
                    "checksum is a part of it.",
                    server_name));
  };
  const std::string prefix = fmt::format("backup-export-{}-", server_name);
  std::string_view stem = name;
  const auto extension =
      std::find_if(kExtensions.begin(), kExtensions.end(),
                   [&](std::string_view candidate) { return stem.ends_with(candidate); });
  if (extension == kExtensions.end()) {
    throw wrong("Expected a .tar, .tar.gz, .tar.bz2, or .tar.xz file extension.");
  }
  stem.remove_suffix(extension->size());
  if (!stem.starts_with(prefix)) {
    throw wrong(fmt::format("Expected filename to start with '{}'.", prefix));
  }
  const std::vector<std::string> parts = split(stem.substr(prefix.size()), '-');
  if (parts.size() != 3) {
    throw wrong(
        "Expected filename to contain the backup ID, timestamp, and checksum after the "
        "server name.");
  }
  if (!catalogue::is_backup_id(parts[0])) {
    throw wrong(fmt::format("Expected BACKUP_ID to be in the format 'YYYYMMDDTHHMMSS', got '{}'.",
                            parts[0]));
  }
  return {.id = {parts[0]}, .checksum = parts[2]};
}

namespace {

constexpr const char* kGiveFile = "Give the path of a file that 'barman export-backup' has made.";

Fd open_tarball(const fs::path& path, std::optional<compression::Algorithm>& algorithm) {
  struct stat status = {};
  if (::stat(path.c_str(), &status) != 0) {
    throw refused_tarball(fmt::format("Tarball file '{}' does not exist", path.string()),
                          kGiveFile);
  }
  if (!S_ISREG(status.st_mode)) {
    throw refused_tarball(fmt::format("Tarball path '{}' is not a file", path.string()), kGiveFile);
  }
  if (::access(path.c_str(), R_OK) != 0) {
    throw refused_tarball(fmt::format("Tarball file '{}' is not readable", path.string()),
                          "Let the user that runs barman read it (chown, chmod).");
  }
  Fd file = open_file(path, O_RDONLY, 0600, Links::follow);
  constexpr std::size_t kHeader = 512;
  constexpr std::size_t kMagic = 257;
  std::array<std::byte, kHeader> first{};
  const std::size_t size = read_full_at(file, first, 0, path);
  algorithm = compression::detect(Bytes(first).first(size));
  const bool is_tar = size == kHeader && as_text(Bytes(first)).substr(kMagic).starts_with("ustar");
  if (!algorithm && !is_tar) {
    throw refused_tarball(fmt::format("File '{}' is not a valid tar file", path.string()));
  }
  return file;
}

}  // namespace

Tarball::Tarball(fs::path path) : path_(std::move(path)), file_(open_tarball(path_, algorithm_)) {}

void Tarball::read(pipeline::TarVisitor& visitor, const std::string& checksum,
                   const Interrupt& interrupt, Progress& progress) const {
  pipeline::TarReader reader(visitor, path_.string());
  std::unique_ptr<pipeline::Sink> decompressor;
  if (algorithm_) {
    decompressor = compression::make_decompressor(*algorithm_, reader, path_.string());
  }
  pipeline::Sink& sink = decompressor ? *decompressor : reader;
  Digest digest(DigestAlgorithm::sha256);
  std::exception_ptr failure;
  const auto guarded = [&](const auto& action) {
    if (failure) return;
    try {
      action();
    } catch (const Error& error) {  // A damaged file is told as that.
      if (error.kind() != ErrorKind::corrupt) throw;
      failure = std::current_exception();
    }
  };
  std::vector<std::byte> buffer(kImportBufferSize);
  std::uint64_t offset = 0;
  for (;;) {
    interrupt.throw_if_requested();
    const std::size_t size = read_full_at(file_, buffer, offset, path_);
    offset += size;
    const Bytes data = Bytes(buffer).first(size);
    digest.update(data);
    guarded([&] { sink.write(data); });
    progress.advance(size);
    if (size < buffer.size()) break;
  }
  guarded([&] { sink.finish(); });
  const std::string found = digest.finish().substr(0, checksum.size());
  if (found != checksum) {
    throw refused_tarball(
        fmt::format("Tarball checksum mismatch: filename contains '{}' but actual "
                    "checksum is '{}'. The file may have been modified or corrupted.",
                    checksum, found));
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace barman::transfer
