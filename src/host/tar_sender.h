// Files for another host: a tar archive made here, unpacked by `tar` there while it passes. Nothing
// but a shell and tar (GNU, BSD or BusyBox) is needed there, and nothing is staged. What arrives
// belongs to the user there and keeps modes and times; durable it is not (`sync` is the caller's).
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/interrupt.h"
#include "compression/algorithm.h"
#include "host/host.h"
#include "pipeline/sink.h"
#include "pipeline/tar_writer.h"

namespace barman::host {

struct TarSending {
  // On the way: gzip, or zstd, whose program is needed there.
  std::optional<compression::Algorithm> compression;
  // Over the connection that calls share: a handshake would take longer.
  bool is_short = false;
};

class TarSender {
 public:
  // `directory` is there. `host` lives longer.
  TarSender(const Host& host, std::filesystem::path directory, const TarSending& options,
            const Interrupt& interrupt);
  TarSender(const TarSender&) = delete;
  TarSender& operator=(const TarSender&) = delete;
  // Without finish() the connection is cut: what has arrived stays there.
  ~TarSender();

  // Members by their names below the directory. Writing throws `remote`, with what ssh or tar says
  // there, and `interrupted`.
  pipeline::TarWriter& archive() { return *archive_; }
  // All of it is unpacked when it returns. Throws as writing does.
  void finish();

 private:
  class Pipe;

  std::unique_ptr<Pipe> pipe_;
  std::unique_ptr<pipeline::Sink> compressor_;
  std::unique_ptr<pipeline::TarWriter> archive_;
};

// What runs there. Its exit code is not 0 either when zstd has failed.
std::vector<std::string> untar_command(const std::filesystem::path& directory,
                                       std::optional<compression::Algorithm> compression);

}  // namespace barman::host
