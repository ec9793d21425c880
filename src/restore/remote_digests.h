// Checksums of files on another host, computed there: several sessions at a time, each of which
// gets the names of its files, ends with NULs, and prints a line for each as it is ready.
#pragma once

#include <cstdint>
#include <exception>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/blake2b.h"
#include "base/digest.h"
#include "base/fd.h"
#include "base/interrupt.h"
#include "base/process.h"
#include "host/host.h"

namespace barman::restore {

// What is on that host. b2sum is more than twice as fast as sha256sum; BusyBox has none.
enum class RemoteChecksum { b2sum, sha256sum };

// The same, computed here; its beginning.
class RunningDigest {
 public:
  explicit RunningDigest(RemoteChecksum checksum)
      : checksum_(checksum),
        sha256_(checksum == RemoteChecksum::sha256sum ? DigestAlgorithm::sha256
                                                      : DigestAlgorithm::none) {}
  void update(Bytes data);
  std::uint64_t finish();

 private:
  const RemoteChecksum checksum_;
  Blake2b blake2b_;
  Digest sha256_;
};

class RemoteDigests {
 public:
  // Of "./base/1/1259"; the beginning of a longer checksum. Called by several threads.
  using OnDigest = std::function<void(const std::string& name, std::uint64_t digest)>;
  // One of the sessions has ended, well or not. Called last.
  using OnEnd = std::function<void()>;

  // Each of `names` is a list below `directory`, read from its beginning. Throws nothing that the
  // sessions run into: wait() does.
  RemoteDigests(const host::Host& host, std::filesystem::path directory, RemoteChecksum checksum,
                std::vector<Fd> names, const Interrupt& interrupt);
  RemoteDigests(const RemoteDigests&) = delete;
  RemoteDigests& operator=(const RemoteDigests&) = delete;
  ~RemoteDigests() = default;

  void start(const OnDigest& on_digest, const OnEnd& on_end);
  // Throws the first failure. A file that could not be read there has no digest, and is no failure.
  void wait();

 private:
  void run(const Fd& names, const OnDigest& on_digest) const;

  const host::Host& host_;
  const std::filesystem::path directory_;
  const RemoteChecksum checksum_;
  const Interrupt interrupt_;
  std::vector<Fd> names_;
  std::mutex mutex_;
  std::exception_ptr failure_;
  std::vector<std::jthread> sessions_;
};

// "0123…  ./a b": whose it is, and the beginning of the checksum. False for anything else.
bool parse_digest_line(std::string_view line, RemoteChecksum checksum, std::string& name,
                       std::uint64_t& digest);
// The beginning of a checksum in hexadecimal.
std::uint64_t beginning_of_hex(std::string_view hex);

}  // namespace barman::restore
