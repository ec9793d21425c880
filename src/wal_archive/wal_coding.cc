#include "wal_archive/wal_coding.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <vector>

#include <fmt/format.h>

#include "base/anonymous_file.h"
#include "base/error.h"
#include "base/process.h"
#include "base/text.h"
#include "compression/codec.h"
#include "compression/stored_file.h"
#include "pipeline/file_transfer.h"
#include "wal/wal_content.h"
#include "wal_archive/wal_encoding.h"

namespace barman::wal_archive {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kCustom = "custom";

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

// What goes through filters does so in memory: of what is stored encrypted, nothing is on a disk in
// clear.
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

// A filter's exit code alone tells little of what it gave out.
void refuse_other_content(const Fd& plain, const fs::path& source_path) {
  const auto name = wal::parse_wal_file_name(source_path.filename().string());
  if (!name) return;
  wal::ContentCheck check(*name, {.may_be_unwritten = true});
  struct stat status = {};
  if (::fstat(plain.get(), &status) != 0) throw_errno("cannot read what a filter gave out");
  const auto size_bytes = static_cast<std::uint64_t>(status.st_size);
  std::vector<std::byte> begin(std::min(check.wanted_bytes(), size_bytes));
  check.add(Bytes(begin).first(read_full_at(plain, begin, 0, source_path)));
  check.set_size(size_bytes);
  const auto problem = check.find_problem();
  if (!problem) return;
  throw Error(ErrorKind::corrupt,
              fmt::format("custom_decompression_filter makes no WAL file of \"{}\": {}",
                          source_path.string(), problem->text),
              "Try the command by hand on that file.");
}

}  // namespace

std::optional<std::string> WalStoredForm::compression_name() const {
  if (is_custom) return std::string(kCustom);
  if (algorithm) return std::string(to_text(*algorithm));
  return std::nullopt;
}

WalCoding::WalCoding(const config::ServerConfig& config)
    : name_(config.compression.value_or("")),
      is_custom_(config.compression == kCustom),
      magic_(parse_magic(config.custom_compression_magic)),
      is_encrypting_(config.encryption == config::Encryption::gpg),
      cipher_({.recipient = config.encryption_key_id.value_or(""),
               .passphrase_command = config.encryption_passphrase_command.value_or("")}) {
  decompression_filter_ = config.custom_decompression_filter.value_or("");
  if (is_custom_) {
    compression_filter_ = config.custom_compression_filter.value_or("");
    return;
  }
  algorithm_ = compression::parse_algorithm(name_);
  if (algorithm_) level_ = compression::resolve_level(*algorithm_, config.compression_level);
}

std::string WalCoding::problem() const {
  if (name_.empty() || algorithm_) return {};
  if (!is_custom_) return fmt::format("unknown compression '{}'", name_);
  if (compression_filter_.empty()) {
    return "compression = custom needs custom_compression_filter: WAL is stored as it is";
  }
  if (decompression_filter_.empty()) {
    return "compression = custom needs custom_decompression_filter: WAL cannot be read back";
  }
  return {};
}

WalStoredForm WalCoding::identify(const Fd& file, const fs::path& path) const {
  std::array<std::byte, kIdentifyingBytes> first = {};
  return identify(Bytes(first).first(read_full_at(file, first, 0, path)));
}
WalStoredForm WalCoding::identify(Bytes first_bytes) const {
  WalStoredForm form = identify_begin(first_bytes);
  if (!form.is_plain() || !is_custom_ || !magic_.empty()) return form;
  form.is_custom =
      !looks_plain(as_text(first_bytes.first(std::min(first_bytes.size(), kIdentifyingBytes))));
  return form;
}
WalStoredForm WalCoding::identify_received(const Fd& file, const fs::path& path) const {
  std::array<std::byte, kIdentifyingBytes> first = {};
  return identify_begin(Bytes(first).first(read_full_at(file, first, 0, path)));
}
WalStoredForm WalCoding::identify_begin(Bytes first_bytes) const {
  const WalEncoding encoding = detect_wal_encoding(first_bytes);
  // The words are tried in alphabetical order, and the first one wins.
  const bool is_custom = !magic_.empty() && as_text(first_bytes).starts_with(magic_) &&
                         encoding.compression != "bzip2";
  if (is_custom) return {.is_custom = true};
  if (encoding.encryption) return {.encryption = encoding.encryption};
  return {.algorithm = compression::detect(first_bytes)};
}

CodingSteps WalCoding::steps_for(const WalStoredForm& received) const {
  return {.is_compressed = is_compressing() && received.is_plain(),
          .is_encrypted = is_encrypting_ && !received.encryption};
}

void WalCoding::encode(const CodingSteps& steps, const Fd& source, const fs::path& source_path,
                       const Fd& target, const fs::path& target_path) const {
  const bool is_filtered = steps.is_compressed && !algorithm_;
  if (is_filtered && !steps.is_encrypted) {
    run_user_filter("custom_compression_filter", compression_filter_, source, source_path,
                    target.get());
    return require_same_content(source, source_path, target, target_path);
  }
  compression::FdSink file(target.get(), target_path);
  pipeline::Sink* sink = &file;
  std::unique_ptr<pipeline::Sink> encryptor;
  if (steps.is_encrypted) {
    encryptor = cipher_.make_encryptor(*sink, target_path.string());
    sink = encryptor.get();
  }
  if (is_filtered) {
    const Fd compressed = open_memory_file();
    run_user_filter("custom_compression_filter", compression_filter_, source, source_path,
                    compressed.get());
    require_same_content(source, source_path, compressed, target_path);
    compression::push_file(compressed, source_path, *sink);
    return;
  }
  std::unique_ptr<pipeline::Sink> compressor;
  if (steps.is_compressed) {
    compressor = compression::make_compressor(*algorithm_, level_, *sink);
    sink = compressor.get();
  }
  compression::push_file(source, source_path, *sink);
}

// The exit code of a pipeline is that of its last command only, and nobody knows what a filter has
// read: what it made counts when the other filter makes the file of it.
void WalCoding::require_same_content(const Fd& source, const fs::path& source_path,
                                     const Fd& compressed, const fs::path& compressed_path) const {
  // Told by problem(): nobody can read it back.
  if (decompression_filter_.empty()) return;
  const Fd plain = open_memory_file();
  run_user_filter("custom_decompression_filter", decompression_filter_, compressed, compressed_path,
                  plain.get());
  if (pipeline::is_same_content(source, source_path, plain, compressed_path)) return;
  throw Error(ErrorKind::io,
              fmt::format("custom_decompression_filter does not give back what "
                          "custom_compression_filter took: \"{}\"",
                          source_path.string()),
              "Try both commands by hand on a copy of that file.");
}

void WalCoding::refuse_without_filter(const fs::path& source_path) const {
  if (!decompression_filter_.empty()) return;
  throw Error(ErrorKind::config,
              fmt::format("WAL file \"{}\" was compressed by a custom filter, and "
                          "custom_decompression_filter is not set",
                          source_path.string()),
              "Set custom_decompression_filter.");
}

void WalCoding::decode(const WalStoredForm& form, const Fd& source, const fs::path& source_path,
                       int target, const fs::path& target_path) const {
  compression::FdSink sink(target, target_path);
  decode(form, source, source_path, sink);
}

void WalCoding::decode(const WalStoredForm& form, const Fd& source, const fs::path& source_path,
                       pipeline::Sink& target) const {
  if (form.encryption) return decode_encrypted(source, source_path, target);
  if (form.is_custom) return decode_custom(source, source_path, target);
  if (!form.algorithm) return compression::push_file(source, source_path, target);
  const auto decompressor =
      compression::make_decompressor(*form.algorithm, target, source_path.string());
  compression::push_file(source, source_path, *decompressor);
}

void WalCoding::decode_custom(const Fd& source, const fs::path& source_path,
                              pipeline::Sink& target) const {
  refuse_without_filter(source_path);
  const Fd plain = open_memory_file();
  run_user_filter("custom_decompression_filter", decompression_filter_, source, source_path,
                  plain.get());
  refuse_other_content(plain, source_path);
  compression::push_file(plain, source_path, target);
}

// What is inside is known only when it is decrypted.
void WalCoding::decode_encrypted(const Fd& source, const fs::path& source_path,
                                 pipeline::Sink& target) const {
  if (!is_custom_ && magic_.empty()) {
    const auto decompressor =
        compression::make_detecting_decompressor(target, source_path.string());
    decrypt(source, source_path, *decompressor);
    return;
  }
  const Fd inner = open_memory_file();
  compression::FdSink sink(inner.get(), source_path);
  decrypt(source, source_path, sink);
  decode(identify(inner, source_path), inner, source_path, target);
}

void WalCoding::decrypt(const Fd& source, const fs::path& source_path,
                        pipeline::Sink& target) const {
  const auto decryptor = cipher_.make_decryptor(target, source_path.string());
  compression::push_file(source, source_path, *decryptor);
}

}  // namespace barman::wal_archive
