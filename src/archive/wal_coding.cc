#include "archive/wal_coding.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>

#include <fmt/format.h>

#include "archive/file_transfer.h"
#include "base/error.h"
#include "base/process.h"
#include "base/text.h"
#include "catalogue/wal_encoding.h"
#include "compression/stored_file.h"

namespace barman::archive {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kCustom = "custom";
constexpr std::size_t kFirstBytes = 64;

// "0x1f8b" as bytes; the configuration has checked the form.
std::string parse_magic(const std::optional<std::string>& text) {
  std::string magic;
  if (!text || !text->starts_with("0x")) return magic;
  std::string digits = text->substr(2);
  if (digits.size() % 2 != 0) digits.insert(0, "0");
  for (std::size_t i = 0; i < digits.size(); i += 2) {
    magic += static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16));
  }
  return magic;
}

// Segments begin with the magic number of a WAL page (PostgreSQL's xlog_internal.h: 0xD061 to
// 0xD1xx, little-endian); history and label files are text.
bool looks_plain(std::string_view first) {
  if (first.size() >= 2 && (first[1] == '\xd0' || first[1] == '\xd1')) return true;
  return std::all_of(first.begin(), first.end(), [](char byte) {
    // Zeroes: an unfinished segment of which nothing has arrived.
    return std::isprint(static_cast<unsigned char>(byte)) != 0 || byte == '\t' || byte == '\n' ||
           byte == '\0';
  });
}

void run_user_filter(const std::string& option, const std::string& command, const Fd& source,
                     const fs::path& source_path, int target) {
  if (::lseek(source.get(), 0, SEEK_SET) != 0) {
    throw_errno("cannot read \"" + source_path.string() + "\"");
  }
  const ProcessResult result = run_filter(shell_command(command), source.get(), target);
  if (result.exit_code == 0) return;
  throw Error(ErrorKind::io,
              fmt::format("{} failed on \"{}\" with exit code {}: {}", option, source_path.string(),
                          result.exit_code, strip(result.standard_error)),
              fmt::format("Check {}.", option));
}

}  // namespace

std::optional<std::string> StoredForm::compression_name() const {
  if (is_custom) return std::string(kCustom);
  if (algorithm) return std::string(to_text(*algorithm));
  return std::nullopt;
}

WalCoding::WalCoding(const config::ServerConfig& config)
    : name_(config.compression.value_or("")), magic_(parse_magic(config.custom_compression_magic)) {
  decompression_filter_ = config.custom_decompression_filter.value_or("");
  if (name_ == kCustom) {
    compression_filter_ = config.custom_compression_filter.value_or("");
    return;
  }
  algorithm_ = compression::parse_algorithm(name_);
  if (algorithm_) level_ = compression::resolve_level(*algorithm_, config.compression_level);
}

std::string WalCoding::problem() const {
  if (name_.empty() || algorithm_) return {};
  if (name_ != kCustom) return fmt::format("unknown compression '{}'", name_);
  if (compression_filter_.empty()) {
    return "compression = custom needs custom_compression_filter: WAL is stored as it is";
  }
  if (decompression_filter_.empty()) {
    return "compression = custom needs custom_decompression_filter: WAL cannot be read back";
  }
  return {};
}

StoredForm WalCoding::identify(const Fd& file, const fs::path& path) const {
  StoredForm form = identify_received(file, path);
  if (!form.is_plain() || name_ != kCustom || !magic_.empty()) return form;
  std::array<std::byte, kFirstBytes> first = {};
  const std::size_t size = read_full_at(file, first, 0, path);
  form.is_custom = !looks_plain(as_text(Bytes(first).first(size)));
  return form;
}

StoredForm WalCoding::identify_received(const Fd& file, const fs::path& path) const {
  std::array<std::byte, kFirstBytes> first = {};
  const Bytes bytes = Bytes(first).first(read_full_at(file, first, 0, path));
  const catalogue::WalEncoding encoding = catalogue::detect_wal_encoding(bytes);
  // The words are tried in alphabetical order, and the first one wins.
  const bool is_custom =
      !magic_.empty() && as_text(bytes).starts_with(magic_) && encoding.compression != "bzip2";
  if (is_custom) return {.is_custom = true};
  if (encoding.encryption) return {.encryption = encoding.encryption};
  return {.algorithm = compression::detect(bytes)};
}

void WalCoding::encode(const Fd& source, const fs::path& source_path, const Fd& target,
                       const fs::path& target_path) const {
  if (algorithm_) {
    compression::compress_file(source, source_path, *algorithm_, level_, target.get(), target_path);
  } else {
    run_user_filter("custom_compression_filter", compression_filter_, source, source_path,
                    target.get());
  }
}

void WalCoding::decode(const StoredForm& form, const Fd& source, const fs::path& source_path,
                       int target, const fs::path& target_path) const {
  if (form.encryption) {
    throw Error(ErrorKind::config,
                fmt::format("WAL file \"{}\" is encrypted ({}), which this version cannot read",
                            source_path.string(), *form.encryption),
                "Decrypt it with gpg, or fetch it with Barman.");
  }
  if (form.is_custom && decompression_filter_.empty()) {
    throw Error(ErrorKind::config,
                fmt::format("WAL file \"{}\" was compressed by a custom filter, and "
                            "custom_decompression_filter is not set",
                            source_path.string()),
                "Set custom_decompression_filter.");
  }
  if (form.is_custom) {
    run_user_filter("custom_decompression_filter", decompression_filter_, source, source_path,
                    target);
  } else if (form.algorithm) {
    compression::decompress_file(source, source_path, *form.algorithm, target, target_path);
  } else {
    compression::FdSink sink(target, target_path);
    compression::push_file(source, source_path, sink);
  }
}

}  // namespace barman::archive
