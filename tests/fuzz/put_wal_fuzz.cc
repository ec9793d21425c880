// A put-wal stream of any bytes, and one whose members have well-formed headers and, where the list
// says "@", right checksums. What is accepted is WAL under the name of WAL; what is refused leaves
// nothing.
//   NAME            members are divided by lines of "=="
//   CONTENT...
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "fuzz_target.h"
#include "pipeline/tar_writer.h"
#include "wal_archive/received_content.h"
#include "wal_transfer/put_wal.h"
#include "wal_transfer/test_support.h"

namespace {

using namespace barman;
namespace fs = std::filesystem;

struct Text final : pipeline::Sink {
  void write(Bytes data) override { text += as_text(data); }
  void finish() override {}
  std::string text;
};

std::string make_stream(std::string_view input) {
  Text stream;
  pipeline::TarWriter writer(stream);
  std::string sums;
  for (std::size_t begin = 0; begin < input.size();) {
    const std::size_t end = std::min(input.find("\n==\n", begin), input.size());
    const std::string part(input.substr(begin, end - begin));
    begin = end + 4;
    const std::size_t line = std::min(part.find('\n'), part.size());
    const std::string name = part.substr(0, line);
    std::string content = line < part.size() ? part.substr(line + 1) : std::string();
    if (content == "@") content = sums;
    sums += digest_of(DigestAlgorithm::sha256, content) + " *" + name + "\n";
    writer.add_file({.path = name, .mode = 0600, .mtime = 1}, content);
  }
  writer.finish();
  return stream.text;
}

void put(const wal_transfer::TestServer& test, const std::string& stream) {
  const fs::path incoming = test.config.incoming_wals_directory;
  const Fd input(::memfd_create("stream", MFD_CLOEXEC));
  write_full(input, as_bytes(stream), "stream");
  ::lseek(input.get(), 0, SEEK_SET);
  wal_transfer::RecordedMessages messages;
  const server::Server server = test.make();
  bool is_accepted = false;
  try {
    wal_transfer::put_wal(server, input.get(), messages);
    is_accepted = true;
  } catch (const Error&) {
    // Refusing is right.
  }
  for (const std::string& name : wal_transfer::list_names(incoming)) {
    const auto parsed = wal::parse_wal_file_name(name);
    if (!is_accepted || !parsed) std::abort();
    const Fd file = open_file(incoming / name, O_RDONLY);
    const wal_archive::WalCoding coding(test.config);
    const auto form = coding.identify_received(file, incoming / name);
    if (wal_archive::find_content_problem(file, incoming / name, *parsed, form, coding, {})) {
      std::abort();
    }
    fs::remove(incoming / name);
  }
  fs::remove_all(test.config.errors_directory);
}

}  // namespace

BARMAN_FUZZ_TARGET(put_wal) {
  static const wal_transfer::TestServer test;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  put(test, std::string(text));
  std::string stream;
  try {
    stream = make_stream(text);
  } catch (const Error&) {
    return 0;  // A name that no archive can have.
  }
  put(test, stream);
  return 0;
}
