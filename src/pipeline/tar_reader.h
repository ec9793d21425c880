// Reads a tar archive that is pushed into it piece by piece and delivers its members as events.
//
// The format is ustar as PostgreSQL writes it (names up to 100 bytes, sizes beyond 8 GiB in
// base-256), with prefix fields, GNU long names and PAX headers tolerated. Each header's checksum
// is verified and each path is checked: members are delivered with a safe relative path only.
// Content is handed on as spans of the bytes that came in, never copied. The two trailing blocks of
// zeroes are required with TarEnd::required only, because PostgreSQL before 15 does not send them:
// without them an archive that was cut off between two members looks complete. Throws `corrupt`,
// naming the archive and the byte offset.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <string>

#include "pipeline/sink.h"

namespace barman::pipeline {

// Only archives of others have hard links and FIFOs (TarTypes::all).
enum class TarMemberType { regular, directory, symlink, hard_link, fifo };

struct TarMember {
  std::string path;  // safe (see is_safe_relative_path), without a trailing slash
  TarMemberType type = TarMemberType::regular;
  mode_t mode = 0;               // permission bits only
  std::uint64_t size_bytes = 0;  // 0 unless regular
  std::int64_t mtime = 0;        // seconds since the epoch
  std::uint64_t uid = 0;
  std::uint64_t gid = 0;
  std::string link_target;  // of a link; not checked
  // Where its content begins in the archive. Read only: writers put it where they are.
  std::uint64_t content_offset = 0;
};

// What receives the members. For each: begin_member, writes that add up to size_bytes, end_member.
class TarVisitor {
 public:
  virtual ~TarVisitor() = default;
  virtual void begin_member(const TarMember& member) = 0;
  virtual void write(Bytes data) = 0;
  virtual void end_member() = 0;
};

enum class TarEnd { optional, required };
// Which types of members are delivered; an archive that has others is refused.
enum class TarTypes { of_postgres, all };

class TarReader final : public Sink {
 public:
  // `archive_name` is for errors only.
  TarReader(TarVisitor& visitor, std::string archive_name, TarEnd end = TarEnd::optional,
            TarTypes types = TarTypes::of_postgres);

  void write(Bytes data) override;
  // Throws when the archive was cut off.
  void finish() override;
  // Whether the archive ended with two blocks of zeroes, or more, so far.
  bool has_end_marker() const { return end_block_count_ >= 2; }

  static constexpr std::size_t kBlockSize = 512;

 private:
  enum class State { header, content, extension, skip, padding, end };
  enum class Extension { gnu_name, gnu_link, pax };

  // Each consumes a prefix of `data` and returns how much.
  std::size_t take_header(Bytes data);
  std::size_t take_content(Bytes data);

  void parse_header(Bytes block);
  void verify_checksum(Bytes block) const;
  void begin_member(Bytes block, char type_flag);
  TarMemberType type_of(Bytes block, char type_flag, const std::string& path,
                        bool has_trailing_slash);
  void begin_extension(Bytes block, char type_flag);
  void end_extension();
  void apply_pax(std::string_view records);
  void end_content();
  std::uint64_t parse_number(Bytes field, const char* field_name) const;
  [[noreturn]] void fail(const std::string& reason) const;

  TarVisitor& visitor_;
  const std::string archive_name_;
  const TarEnd end_;
  const TarTypes types_;
  std::uint64_t end_block_count_ = 0;
  State state_ = State::header;
  std::uint64_t offset_ = 0;      // of the next byte to come
  std::uint64_t header_end_ = 0;  // of the header being parsed
  std::array<std::byte, kBlockSize> block_{};
  std::size_t block_fill_ = 0;
  std::uint64_t content_left_ = 0;
  std::size_t padding_left_ = 0;
  TarMember member_;

  // What extension headers said about the next member.
  Extension extension_ = Extension::pax;
  std::string extension_data_;
  std::string next_path_;
  std::string next_link_;
  std::uint64_t next_size_ = 0;
  bool has_next_size_ = false;
};

}  // namespace barman::pipeline
