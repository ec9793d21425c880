// Archives for the unit tests of this folder.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "base/test_support.h"
#include "compression/codec.h"
#include "compression/parallel_compressor.h"
#include "pipeline/file_sink.h"
#include "pipeline/tar_writer.h"
#include "stored/archive_file.h"
#include "stored/archive_index.h"

namespace barman::stored {

// What a test puts into an archive: directories first, then files by name.
struct SampleArchive {
  std::vector<std::string> directories = {"base", "base/1", "global"};
  std::map<std::string, std::string> files;
};

inline std::string sample_content(std::size_t size, unsigned seed) {
  std::string content(size, '\0');
  std::uint32_t state = seed;
  for (char& byte : content) {
    state = state * 1664525U + 1013904223U;
    byte = static_cast<char>(state >> 26U);
  }
  return content;
}

// Small files, one of several frames, an empty one.
inline SampleArchive sample_archive() {
  SampleArchive archive;
  archive.files = {{"PG_VERSION", "17\n"},
                   {"base/1/1259", sample_content((std::size_t{5} << 20) + 77, 1)},
                   {"base/1/1260", ""},
                   {"global/pg_control", sample_content(8192, 2)}};
  for (int i = 0; i < 100; ++i)
    archive.files["base/1/" + std::to_string(2000 + i)] =
        sample_content(30000, 100U + static_cast<unsigned>(i));
  return archive;
}

inline void write_tar(const SampleArchive& sample, pipeline::Sink& sink) {
  pipeline::TarWriter tar(sink);
  for (const std::string& path : sample.directories)
    tar.begin_member({.path = path,
                      .type = pipeline::TarMemberType::directory,
                      .mode = 0700,
                      .mtime = 1700000000});
  for (const auto& [path, content] : sample.files)
    tar.add_file({.path = path, .mode = 0600, .size_bytes = content.size(), .mtime = 1700000001},
                 content);
  tar.finish();
}

enum class Frames { many, one };

// `base.tar…` without an index.
inline ArchiveFile put_archive(const std::filesystem::path& directory, const SampleArchive& sample,
                               std::optional<compression::Algorithm> algorithm,
                               Frames frames = Frames::many) {
  ArchiveFile archive{directory / ("base.tar" + std::string(archive_extension(algorithm))),
                      algorithm};
  pipeline::FileSink file(archive.path);
  if (!algorithm) {
    write_tar(sample, file);
  } else if (frames == Frames::many) {
    compression::ParallelCompressor compressor(*algorithm, std::nullopt, 2, file);
    write_tar(sample, compressor);
  } else {
    write_tar(sample, *compression::make_compressor(*algorithm, 1, file));
  }
  return archive;
}

}  // namespace barman::stored
