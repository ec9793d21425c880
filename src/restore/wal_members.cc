#include "restore/wal_members.h"

#include <sys/stat.h>

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <functional>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/error.h"
#include "restore/wal_decoder.h"
#include "wal/wal_file_name.h"

namespace barman::restore {
namespace fs = std::filesystem;

namespace {

// Timeline history files and the labels of backups.
constexpr std::size_t kMaxSmallWal = std::size_t{16} << 20;
constexpr std::size_t kZeroPiece = std::size_t{64} << 10;

// The content of one member; what the header promises is what comes.
class MemberSink final : public pipeline::Sink {
 public:
  using OnBytes = std::function<void(std::uint64_t size_bytes)>;

  MemberSink(pipeline::TarWriter& archive, std::uint64_t size_bytes, std::string name,
             OnBytes on_bytes, const Interrupt& interrupt)
      : archive_(archive),
        size_bytes_(size_bytes),
        name_(std::move(name)),
        on_bytes_(std::move(on_bytes)),
        interrupt_(interrupt) {}

  void write(Bytes data) override {
    interrupt_.throw_if_requested();
    written_ += data.size();
    if (written_ > size_bytes_) fail("more than");
    archive_.write(data);
    on_bytes_(data.size());
  }
  void finish() override {}

  void fill_with_zeroes() {
    static const std::vector<std::byte> zeroes(kZeroPiece);
    while (written_ < size_bytes_) {
      const std::uint64_t rest = size_bytes_ - written_;
      write(
          Bytes(zeroes).first(static_cast<std::size_t>(std::min<std::uint64_t>(kZeroPiece, rest))));
    }
  }
  void end() {
    if (written_ != size_bytes_) fail(fmt::format("{} instead of", written_));
    archive_.end_member();
  }

 private:
  [[noreturn]] void fail(const std::string& found) const {
    throw Error(ErrorKind::corrupt,
                fmt::format("WAL file \"{}\" has {} {} bytes", name_, found, size_bytes_),
                "Put an intact copy of the file in its place, or restore with --get-wal.");
  }

  pipeline::TarWriter& archive_;
  const std::uint64_t size_bytes_;
  const std::string name_;
  const OnBytes on_bytes_;
  const Interrupt& interrupt_;
  std::uint64_t written_ = 0;
};

class DigestSink final : public pipeline::Sink {
 public:
  DigestSink(RemoteChecksum checksum, const Interrupt& interrupt)
      : digest_(checksum), interrupt_(interrupt) {}
  void write(Bytes data) override {
    interrupt_.throw_if_requested();
    digest_.update(data);
  }
  void finish() override {}
  std::uint64_t digest() { return digest_.finish(); }

 private:
  RunningDigest digest_;
  const Interrupt& interrupt_;
};

class TextSink final : public pipeline::Sink {
 public:
  explicit TextSink(const fs::path& path) : path_(path) {}
  void write(Bytes data) override {
    if (text.size() + data.size() > kMaxSmallWal) {
      throw Error(ErrorKind::corrupt,
                  fmt::format("\"{}\" is too large for what its name says", path_.string()),
                  "Put an intact copy of the file in its place.");
    }
    text.append(reinterpret_cast<const char*>(data.data()), data.size());
  }
  void finish() override {}

  std::string text;

 private:
  const fs::path& path_;
};

}  // namespace

pipeline::TarMember WalMembers::member(const std::string& name, std::uint64_t size_bytes) const {
  return {.path = name,
          .mode = modes_.file,
          .size_bytes = size_bytes,
          .mtime = static_cast<std::int64_t>(std::time(nullptr)),
          .link_target = {}};
}

void WalMembers::send(TarStreams& streams) const {
  reporting_.messages.info("Copying required WAL segments.");
  reporting_.progress.begin("restore WAL", plan_.total_bytes);
  for (const WalFileCopy& file : plan_.files) submit(streams, file, false);
  if (!plan_.partials.empty()) reporting_.messages.info("Copying .partial WAL files.");
  for (const WalFileCopy& file : plan_.partials) submit(streams, file, true);
  if (plan_.has_done_markers) submit_markers(streams);
  streams.finish();
  reporting_.progress.end();
}

void WalMembers::submit(TarStreams& streams, const WalFileCopy& file, bool is_partial) const {
  streams.submit_work([this, &streams, &file, is_partial](const Interrupt& interrupt) {
    send_file(streams, file, is_partial, interrupt);
  });
}

void WalMembers::submit_markers(TarStreams& streams) const {
  reporting_.messages.info("Generating archive status files");
  streams.submit([this](pipeline::TarWriter& archive, const Interrupt& interrupt) {
    for (const std::vector<WalFileCopy>* files : {&plan_.files, &plan_.partials}) {
      for (const WalFileCopy& file : *files) {
        interrupt.throw_if_requested();
        archive.add_file(member("archive_status/" + file.name + ".done", 0), "");
      }
    }
  });
}

void WalMembers::note_passed(std::uint64_t size_bytes, const Interrupt& interrupt) const {
  reporting_.progress.advance(size_bytes);
  on_bytes_(size_bytes, interrupt);
}

bool WalMembers::is_there(const WalFileCopy& file, const OpenedWal& opened,
                          const wal_archive::WalStoredForm& form,
                          const Interrupt& interrupt) const {
  const auto there = there_.digests.find(file.name);
  if (there == there_.digests.end()) return false;
  DigestSink sink(there_.checksum, interrupt);
  plan_.coding.decode(form, opened.file, opened.path, sink);
  return sink.digest() == there->second;
}

void WalMembers::send_small(const WalFileCopy& file, const OpenedWal& opened,
                            const wal_archive::WalStoredForm& form, pipeline::TarWriter& archive,
                            const Interrupt& interrupt) const {
  TextSink sink(opened.path);
  plan_.coding.decode(form, opened.file, opened.path, sink);
  archive.add_file(member(file.name, sink.text.size()), sink.text);
  note_passed(sink.text.size(), interrupt);
}

void WalMembers::send_file(TarStreams& streams, const WalFileCopy& file, bool is_partial,
                           const Interrupt& interrupt) const {
  const OpenedWal opened = open_wal(plan_.archive, file.source, file.moves_to);
  const wal_archive::WalStoredForm form = plan_.coding.identify(opened.file, opened.path);
  if (!is_partial && !wal::is_segment_name(file.name)) {
    return streams.send_now([&](pipeline::TarWriter& archive, const Interrupt&) {
      send_small(file, opened, form, archive, interrupt);
    });
  }
  // What is stored as it is has the size that the index says; what comes otherwise is a whole
  // segment, as PostgreSQL takes no other.
  const bool is_as_indexed = form.is_plain() && file.moves_to.empty() && !is_partial;
  const std::uint64_t size_bytes = is_as_indexed ? file.size_bytes : plan_.segment_size.bytes;
  if (!is_partial && is_there(file, opened, form, interrupt)) {
    return reporting_.progress.advance(size_bytes);
  }
  streams.send_now([&](pipeline::TarWriter& archive, const Interrupt&) {
    archive.begin_member(member(file.name, size_bytes));
    MemberSink sink(
        archive, size_bytes, opened.path.string(),
        [&](std::uint64_t passed_bytes) { note_passed(passed_bytes, interrupt); }, interrupt);
    plan_.coding.decode(form, opened.file, opened.path, sink);
    if (is_partial) sink.fill_with_zeroes();
    sink.end();
  });
}

}  // namespace barman::restore
