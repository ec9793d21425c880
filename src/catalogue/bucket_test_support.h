// For unit tests: a bucket in a directory.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/test_support.h"
#include "catalogue/bucket_layout.h"
#include "storage/local_storage.h"

namespace barman::catalogue {

struct LocalBucket {
  TemporaryDirectory directory;
  storage::LocalStorage storage{directory.path() / "bucket"};
  BucketLayout layout{"main", "path/"};

  void put(const std::string& key, std::string_view content) const {
    put_file(storage.path_of(key), content);
  }
  std::string get(const std::string& key) const { return read_file(storage.path_of(key)); }
  std::vector<std::string> keys(std::string_view prefix = {}) const {
    std::vector<std::string> found;
    storage.list(prefix, [&](const storage::ObjectFacts& facts) { found.push_back(facts.key); });
    return found;
  }
};

}  // namespace barman::catalogue
