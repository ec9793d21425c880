// The archives of a backup become files: several at once, straight from the bucket into the places,
// with nothing in between. Takes what Barman has written, too: entries of the same path twice (the
// last one counts), hard links, links, FIFOs.
//
// Small files at the root of the data directory, and pg_control, are not written but handed back:
// they decide what a server makes of the directory, come in any archive, and may come twice.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/interrupt.h"
#include "cloud/bucket_names.h"
#include "storage/storage.h"

namespace barman::cloud {

struct UnpackedFile {
  std::string content;
  mode_t mode = 0600;
  std::uint64_t uid = 0;
  std::uint64_t gid = 0;
  // Of its archive.
  std::uint32_t number = 0;
};

struct UnpackPlan {
  struct Item {
    StoredArchive archive;
    std::filesystem::path root;
  };
  std::vector<Item> items;
  std::size_t jobs = 2;
  Interrupt interrupt = {};
};

// By their paths in the data directory. All that was written is durable when it returns. Throws
// `corrupt` for damaged archives, and for what would leave its root.
std::map<std::string, UnpackedFile> unpack_archives(const storage::Storage& storage,
                                                    const UnpackPlan& plan);

}  // namespace barman::cloud
