// Where bytes come from when they lie somewhere and can be read at any offset: a file of this host,
// of an archive, of a bucket, or made from several. The counterpart of Sink.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>

#include "base/fd.h"

namespace barman::pipeline {

// What a copy of a file, there already, was found to be.
struct JudgedCopy {
  bool is_right = false;
  std::uint32_t crc32c = 0;  // of a right one
};

// One file, read by one thread at a time.
class ContentFile {
 public:
  virtual ~ContentFile() = default;
  // Fills `buffer`, fewer bytes only at the end of the file. Throws `corrupt` for damaged content.
  virtual std::size_t read_at(std::uint64_t offset, MutableBytes buffer) = 0;
  virtual std::uint64_t size_bytes() const = 0;
  // The same version of the file for another thread; nullptr where it must be opened again.
  virtual std::unique_ptr<ContentFile> another() const { return nullptr; }
  // Compares a copy with the checksums of what this file is made of, and reads of that only what
  // they cannot tell. `copy` is read once, from its beginning on. Before the first read_at().
  // nullopt where no checksums are known.
  virtual std::optional<JudgedCopy> judge(ContentFile& /*copy*/) { return std::nullopt; }
  // From now on, parts that judge() has found right are read from `copy`, which lives longer.
  virtual void borrow(ContentFile& /*copy*/) {}
  // The file as it lies on disk, for sharing its blocks; nullptr when it does not.
  virtual const Fd* descriptor() const { return nullptr; }
};

// An open file of this host.
std::unique_ptr<ContentFile> make_local_file(Fd file, std::filesystem::path path);

}  // namespace barman::pipeline
