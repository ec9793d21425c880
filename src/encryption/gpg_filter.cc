#include "encryption/gpg_filter.h"

#include <gpgme.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "encryption/gpg_event_loop.h"

namespace barman::encryption {
namespace {

constexpr std::size_t kChunkBytes = std::size_t{256} << 10;
constexpr std::size_t kQueuedChunks = 4;
// What gpgme moves at a time; its own default is a page.
constexpr const char* kIoBufferBytes = "262144";

struct FreeContext {
  void operator()(gpgme_ctx_t context) const { ::gpgme_release(context); }
};
struct FreeData {
  void operator()(gpgme_data_t data) const { ::gpgme_data_release(data); }
};
using Context = std::unique_ptr<gpgme_context, FreeContext>;
using Data = std::unique_ptr<gpgme_data, FreeData>;

std::string text_of(gpgme_error_t error) {
  std::string text(128, '\0');
  ::gpgme_strerror_r(error, text.data(), text.size());
  text.resize(std::strlen(text.c_str()));
  return text;
}

void check(gpgme_error_t error) {
  if (error == 0) return;
  throw Error(ErrorKind::config, "GnuPG cannot be used: " + text_of(error),
              "Install gpg and gpg-agent.");
}

ssize_t read_input(void* filter, void* buffer, std::size_t size) {
  return static_cast<GpgFilter*>(filter)->give_input(buffer, size);
}

ssize_t write_output(void* filter, const void* buffer, std::size_t size) {
  return static_cast<GpgFilter*>(filter)->take_output(buffer, size);
}

// gpg asks again when the passphrase was wrong: there is no other one.
gpgme_error_t give_passphrase(void* filter, const char* /*hint*/, const char* /*info*/, int was_bad,
                              int fd) {
  if (was_bad != 0) return ::gpgme_error(GPG_ERR_BAD_PASSPHRASE);
  // It was read before this process was started, and stays.
  const std::string_view text =
      static_cast<GpgFilter*>(filter)->job().passphrase->passphrase().text();
  const bool is_written =
      ::gpgme_io_writen(fd, text.data(), text.size()) == 0 && ::gpgme_io_writen(fd, "\n", 1) == 0;
  return is_written ? 0 : ::gpgme_error(GPG_ERR_CANCELED);
}

gpgme_error_t take_status(void* filter, const char* keyword, const char* /*arguments*/) {
  if (keyword != nullptr) static_cast<GpgFilter*>(filter)->note_status(keyword);
  return 0;
}

Context make_context() {
  // Initialises the library; safe to call by several threads, once it was called by one.
  static const char* const version = ::gpgme_check_version(nullptr);
  if (version == nullptr) check(::gpgme_error(GPG_ERR_NOT_SUPPORTED));
  gpgme_ctx_t raw = nullptr;
  check(::gpgme_new(&raw));
  Context context(raw);
  check(::gpgme_set_protocol(raw, GPGME_PROTOCOL_OpenPGP));
  // Keys are those of the keyring; nobody looks for others in the network.
  ::gpgme_set_offline(raw, 1);
  ::gpgme_set_armor(raw, 0);
  return context;
}

Data make_data(gpgme_data_cbs& callbacks, GpgFilter& filter) {
  gpgme_data_t raw = nullptr;
  check(::gpgme_data_new_from_cbs(&raw, &callbacks, &filter));
  Data data(raw);
  check(::gpgme_data_set_flag(raw, "io-buffer-size", kIoBufferBytes));
  // Plain text does not stay in freed memory.
  check(::gpgme_data_set_flag(raw, "sensitive", "1"));
  return data;
}

[[noreturn]] void throw_encryption_error(gpgme_ctx_t context, const GpgJob& job,
                                         gpgme_error_t error) {
  const gpgme_encrypt_result_t result = ::gpgme_op_encrypt_result(context);
  if (result != nullptr && result->invalid_recipients != nullptr) {
    error = result->invalid_recipients->reason;
  }
  const std::string message = fmt::format("cannot encrypt \"{}\" for key '{}': {}", job.object_name,
                                          job.recipient, text_of(error));
  switch (::gpgme_err_code(error)) {
    case GPG_ERR_GENERAL:
    case GPG_ERR_NOT_FOUND:
    case GPG_ERR_NO_PUBKEY:
    case GPG_ERR_UNUSABLE_PUBKEY:
    case GPG_ERR_AMBIGUOUS_NAME:
    case GPG_ERR_INV_USER_ID:
    case GPG_ERR_PUBKEY_NOT_TRUSTED:
    case GPG_ERR_CERT_REVOKED:
    case GPG_ERR_KEY_EXPIRED:
    case GPG_ERR_INV_VALUE:
      throw Error(
          ErrorKind::config, message,
          "Import the key with 'gpg --import' and trust it with 'gpg --edit-key KEY trust', "
          "as the user that runs barman, or correct encryption_key_id.");
    case GPG_ERR_INV_ENGINE:
      check(error);
      [[fallthrough]];
    default:
      throw Error(ErrorKind::io, message, "Try 'gpg --encrypt' as the user that runs barman.");
  }
}

[[noreturn]] void throw_encryption_ended(const GpgJob& job) {
  throw Error(
      ErrorKind::io,
      fmt::format("cannot encrypt \"{}\": gpg ended before all was encrypted", job.object_name),
      "Look for what has ended gpg (memory, signals), and try again.");
}

// A gpg that is killed tells no more than one that gives up on damaged data that it decompresses.
[[noreturn]] void throw_decryption_ended(const GpgJob& job) {
  throw Error(
      ErrorKind::corrupt,
      fmt::format("cannot decrypt \"{}\": gpg ended before all was decrypted", job.object_name),
      "Look for what has ended gpg (memory, signals), and try again. If it ends at the same file "
      "again, the file is damaged: put an intact copy in its place.");
}

[[noreturn]] void throw_decryption_error(gpgme_ctx_t context, const GpgJob& job,
                                         gpgme_error_t error) {
  const gpgme_decrypt_result_t result = ::gpgme_op_decrypt_result(context);
  gpgme_err_code_t code = ::gpgme_err_code(error);
  for (auto key = result == nullptr ? nullptr : result->recipients; key != nullptr;
       key = key->next) {
    if (::gpgme_err_code(key->status) == GPG_ERR_NO_SECKEY) code = GPG_ERR_NO_SECKEY;
  }
  const std::string message =
      fmt::format("cannot decrypt \"{}\": {}", job.object_name, text_of(error));
  switch (code) {
    case GPG_ERR_BAD_PASSPHRASE:
    case GPG_ERR_NO_PASSPHRASE:
      throw Error(ErrorKind::config, message, "Correct encryption_passphrase_command.");
    case GPG_ERR_NO_SECKEY:
      throw Error(ErrorKind::config,
                  fmt::format("cannot decrypt \"{}\": its private key is not in the keyring",
                              job.object_name),
                  "Import the private key with 'gpg --import', as the user that runs barman.");
    case GPG_ERR_INV_ENGINE:
      check(error);
      [[fallthrough]];
    case GPG_ERR_NO_DATA:
    case GPG_ERR_BAD_DATA:
    case GPG_ERR_DECRYPT_FAILED:
    case GPG_ERR_INV_PACKET:
    case GPG_ERR_CHECKSUM:
      throw Error(ErrorKind::corrupt, message, "Put an intact copy of the file in its place.");
    default:
      throw Error(ErrorKind::io, message, "Try 'gpg --decrypt' as the user that runs barman.");
  }
}

}  // namespace

GpgFilter::GpgFilter(GpgJob job, pipeline::Sink& next)
    : job_(std::move(job)), next_(next), queue_(kQueuedChunks) {
  gathered_.reserve(kChunkBytes);
  worker_ = start_thread([this] { run(); });
}

GpgFilter::~GpgFilter() { end_worker(); }

// An input that ends without is_complete_ makes gpgme give up.
void GpgFilter::end_worker() {
  queue_.close();
  if (worker_.joinable()) worker_.join();
}

void GpgFilter::write(Bytes data) {
  while (!data.empty()) {
    const Bytes part = data.first(std::min(data.size(), kChunkBytes - gathered_.size()));
    gathered_.insert(gathered_.end(), part.begin(), part.end());
    data = data.subspan(part.size());
    if (gathered_.size() == kChunkBytes) push_chunk();
  }
}

void GpgFilter::push_chunk() {
  Chunk chunk;
  chunk.reserve(kChunkBytes);
  chunk.swap(gathered_);
  if (queue_.push(std::move(chunk))) return;
  end_worker();
  if (failure_) std::rethrow_exception(failure_);
  throw Error(ErrorKind::corrupt,
              fmt::format("\"{}\" goes on after the end of its encrypted data", job_.object_name),
              "Put an intact copy of the file in its place.");
}

void GpgFilter::finish() {
  if (!gathered_.empty()) push_chunk();
  is_complete_ = true;
  end_worker();
  if (failure_) std::rethrow_exception(failure_);
  next_.finish();
}

ssize_t GpgFilter::give_input(void* buffer, std::size_t size) noexcept {
  if (current_offset_ == current_.size()) {
    std::optional<Chunk> chunk = queue_.pop();
    if (!chunk && is_complete_) return 0;
    if (!chunk) {
      errno = ECANCELED;
      return -1;
    }
    current_ = std::move(*chunk);
    current_offset_ = 0;
  }
  const std::size_t count = std::min(size, current_.size() - current_offset_);
  std::memcpy(buffer, current_.data() + current_offset_, count);
  current_offset_ += count;
  return static_cast<ssize_t>(count);
}

ssize_t GpgFilter::take_output(const void* buffer, std::size_t size) noexcept {
  // Rethrown in the caller's thread.
  try {
    next_.write(Bytes(static_cast<const std::byte*>(buffer), size));
  } catch (...) {
    failure_ = std::current_exception();
    errno = EIO;
    return -1;
  }
  return static_cast<ssize_t>(size);
}

void GpgFilter::note_status(std::string_view keyword) noexcept {
  has_ended_ |= job_.direction == GpgJob::Direction::encrypt
                    ? keyword == "END_ENCRYPTION"
                    : keyword == "END_DECRYPTION" || keyword == "NODATA" || keyword == "FAILURE";
}

void GpgFilter::run() {
  // Rethrown in the caller's thread.
  try {
    GpgEventLoop loop;
    const Context context = make_context();
    loop.attach(context.get());
    gpgme_data_cbs reader = {
        .read = read_input, .write = nullptr, .seek = nullptr, .release = nullptr};
    gpgme_data_cbs writer = {
        .read = nullptr, .write = write_output, .seek = nullptr, .release = nullptr};
    const Data input = make_data(reader, *this);
    const Data output = make_data(writer, *this);
    const bool is_encrypting = job_.direction == GpgJob::Direction::encrypt;
    gpgme_error_t error = 0;
    check(::gpgme_set_ctx_flag(context.get(), "full-status", "1"));
    ::gpgme_set_status_cb(context.get(), take_status, this);
    if (is_encrypting) {
      error = ::gpgme_op_encrypt_ext_start(context.get(), nullptr, job_.recipient.c_str(),
                                           GPGME_ENCRYPT_NO_COMPRESS, input.get(), output.get());
    } else {
      check(::gpgme_set_pinentry_mode(context.get(), GPGME_PINENTRY_MODE_LOOPBACK));
      ::gpgme_set_passphrase_cb(context.get(), give_passphrase, this);
      error = ::gpgme_op_decrypt_start(context.get(), input.get(), output.get());
    }
    if (error == 0) error = loop.run();
    if (error != 0 && !failure_) {
      if (is_encrypting) throw_encryption_error(context.get(), job_, error);
      const gpgme_err_code_t code = ::gpgme_err_code(error);
      if (!has_ended_ && (code == GPG_ERR_NO_DATA || code == GPG_ERR_EPIPE)) {
        throw_decryption_ended(job_);
      }
      throw_decryption_error(context.get(), job_, error);
    }
    // To gpgme a gpg that was killed is one that has done its work.
    if (is_encrypting && !failure_ && !has_ended_) throw_encryption_ended(job_);
  } catch (...) {
    failure_ = std::current_exception();
  }
  queue_.close();
}

}  // namespace barman::encryption
