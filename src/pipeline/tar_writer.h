// Writes a tar archive into a Sink, member by member: ustar headers, with PAX extended headers for
// what they cannot hold (POSIX.1-2001: long paths and link targets, files of 8 GiB and more).
//
// Order of calls: begin_member(), write() calls that add up to the size, end_member(); finish()
// ends the archive and the sink behind it.
#pragma once

#include <cstdint>
#include <string>

#include "pipeline/sink.h"
#include "pipeline/tar_reader.h"

namespace barman::pipeline {

class TarWriter final {
 public:
  // `next` must live longer.
  explicit TarWriter(Sink& next) : next_(next) {}

  // Of any type; directories and links are complete with this call. The path of a directory gets
  // its slash here.
  void begin_member(const TarMember& member);
  void write(Bytes data);
  // Throws `internal` unless all of the size was written.
  void end_member();
  // A whole small file.
  void add_file(TarMember member, std::string_view content);
  void finish();

 private:
  void write_header(const TarMember& member, const std::string& path, char type,
                    std::uint64_t size_bytes);
  void write_pax_header(const TarMember& member, const std::string& path);
  void pad(std::uint64_t size_bytes);

  Sink& next_;
  std::uint64_t size_bytes_ = 0;
  std::uint64_t written_ = 0;
};

}  // namespace barman::pipeline
