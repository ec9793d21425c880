#include "restore/remote_digests.h"

#include <fcntl.h>
#include <unistd.h>

#include <charconv>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/worker_pool.h"
#include "restore/remote_script.h"

namespace barman::restore {
namespace fs = std::filesystem;

namespace {

constexpr std::string_view kDigest = R"sh(
cd "$1" || exit
exec xargs -0 "$2"
)sh";
// xargs: some of what it has started has failed, as for a file that went away or cannot be read.
constexpr int kSomeFailed = 123;
constexpr std::size_t kSha256Digits = 64;
constexpr std::size_t kBlake2bDigits = 128;
constexpr std::size_t kHexDigitsKept = 16;

}  // namespace

std::uint64_t beginning_of_hex(std::string_view hex) {
  std::uint64_t value = 0;
  hex = hex.substr(0, kHexDigitsKept);
  std::from_chars(hex.data(), hex.data() + hex.size(), value, 16);
  return value;
}

bool parse_digest_line(std::string_view line, RemoteChecksum checksum, std::string& name,
                       std::uint64_t& digest) {
  const std::size_t digits = checksum == RemoteChecksum::b2sum ? kBlake2bDigits : kSha256Digits;
  // Behind it a blank and one character that says how the file was read.
  if (line.size() <= digits + 2 || line[digits] != ' ') return false;
  digest = beginning_of_hex(line.substr(0, digits));
  name = line.substr(digits + 2);
  return true;
}

void RunningDigest::update(Bytes data) {
  if (checksum_ == RemoteChecksum::b2sum) {
    blake2b_.update(data);
  } else {
    sha256_.update(data);
  }
}

std::uint64_t RunningDigest::finish() {
  return beginning_of_hex(checksum_ == RemoteChecksum::b2sum ? blake2b_.finish()
                                                             : sha256_.finish());
}

RemoteDigests::RemoteDigests(const host::Host& host, fs::path directory, RemoteChecksum checksum,
                             std::vector<Fd> names, const Interrupt& interrupt)
    : host_(host),
      directory_(std::move(directory)),
      checksum_(checksum),
      interrupt_(interrupt),
      names_(std::move(names)) {}

void RemoteDigests::start(const OnDigest& on_digest, const OnEnd& on_end) {
  for (const Fd& names : names_) {
    sessions_.push_back(start_thread([this, &names, on_digest, on_end] {
      try {
        run(names, on_digest);
      } catch (...) {  // Rethrown by wait().
        const std::lock_guard lock(mutex_);
        if (!failure_) failure_ = std::current_exception();
      }
      on_end();
    }));
  }
}

void RemoteDigests::run(const Fd& names, const OnDigest& on_digest) const {
  if (::lseek(names.get(), 0, SEEK_SET) < 0) throw_errno("cannot read a list of names");
  const std::string program = checksum_ == RemoteChecksum::b2sum ? "b2sum" : "sha256sum";
  const std::string text = std::string(kPrintMark) + std::string(kDigest);
  std::string lines;
  std::string name;
  stream_script(host_,
                {.text = text,
                 .arguments = {directory_.string(), program},
                 .input = names.get(),
                 .what = fmt::format("cannot compare \"{}\"", directory_.string()),
                 .tolerated_exit_code = kSomeFailed},
                interrupt_, [&](std::string_view piece) {
                  lines += piece;
                  std::size_t begin = 0;
                  for (std::size_t end = lines.find('\n'); end != std::string::npos;
                       end = lines.find('\n', begin)) {
                    std::uint64_t digest = 0;
                    if (parse_digest_line(std::string_view(lines).substr(begin, end - begin),
                                          checksum_, name, digest)) {
                      on_digest(name, digest);
                    }
                    begin = end + 1;
                  }
                  lines.erase(0, begin);
                });
}

void RemoteDigests::wait() {
  sessions_.clear();
  if (failure_) std::rethrow_exception(failure_);
}

}  // namespace barman::restore
