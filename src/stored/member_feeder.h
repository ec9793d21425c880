// Members of an archive, on their way from the thread that takes the archive apart to those who
// read its files. Each file is a pipe of at most 4 MiB; who does not want a file drops its opener.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "pipeline/tar_reader.h"
#include "stored/content_tree.h"

namespace barman::stored {

class MemberPipe;

class MemberFeeder final : public pipeline::TarVisitor {
 public:
  // `archive_name` is for messages: "/var/…/base.tar.zst". `visit` must live longer.
  MemberFeeder(std::string archive_name, const ContentVisitor& visit);
  MemberFeeder(const MemberFeeder&) = delete;
  MemberFeeder& operator=(const MemberFeeder&) = delete;
  // Whoever reads a file that is not complete is told so.
  ~MemberFeeder() override;

  void begin_member(const pipeline::TarMember& member) override;
  void write(Bytes data) override;
  void end_member() override;

 private:
  const std::string archive_name_;
  const ContentVisitor& visit_;
  std::shared_ptr<MemberPipe> pipe_;
  std::vector<std::byte> block_;
  std::uint64_t left_ = 0;
};

}  // namespace barman::stored
