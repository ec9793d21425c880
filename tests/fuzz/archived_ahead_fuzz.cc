// The file in which barman-wal-archive keeps what it has sent ahead, with anything in it: nothing
// is believed that does not name a checksum, and what is saved is read again.
#include <fcntl.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "base/error.h"
#include "base/test_support.h"
#include "base/text.h"
#include "client/archived_ahead.h"
#include "fuzz_target.h"

BARMAN_FUZZ_TARGET(archived_ahead) {
  using namespace barman;
  using namespace barman::client;
  static const TemporaryDirectory home;
  static const RemoteBarman remote{.host = "backup", .server = "main"};
  const std::filesystem::path directory = home.path() / "cache";
  std::filesystem::create_directory(directory);
  std::filesystem::permissions(directory, std::filesystem::perms::owner_all);
  const std::filesystem::path path = directory / "wal-archived-ahead";
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  // Once as it is, once behind a header that is believed.
  for (const std::string& content :
       {std::string(text), fmt::format("barman-wal-archive 2 {}\n{}\n{}", std::time(nullptr),
                                       remote.identity(), text)}) {
    put_file(path, content);
    const ArchivedAhead ahead(directory, remote);
    ahead.save();
    const ArchivedAhead again(directory, remote);
    for (const std::string& line : split(content, '\n')) {
      const std::string name = split(line, ' ').at(0);
      const auto found = ahead.find(name);
      if (found && found->sha256.empty()) std::abort();
      if (found && ahead.is_on_its_way(name)) std::abort();
      const auto kept = again.find(name);
      if (found.has_value() != kept.has_value()) std::abort();
      if (found && (found->sha256 != kept->sha256 || found->state != kept->state)) std::abort();
    }
  }
  return 0;
}
