// A bucket that is only a listing: thousands of backups and a million WAL files of the server
// "main" below s3://BUCKET/path/, made up when they are asked for. It signs nothing, stores nothing
// and says that everything that is put or deleted was.
//
//   FakeBucket bucket({.backups = 10'000, .wals = 1'000'000});
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "support/store_proxy.h"

namespace barman::test {

class FakeBucket {
 public:
  struct Size {
    unsigned backups = 0;
    unsigned wals = 0;
  };
  // Requests by what they want.
  struct Counts {
    unsigned pages = 0;  // of listings, of 1,000 names each
    unsigned infos = 0;  // backup.info
    unsigned others = 0;
    friend bool operator==(const Counts&, const Counts&) = default;
  };

  // Somebody has begun it and not finished.
  struct Upload {
    std::string key;  // "path/main/wals/…"
    std::chrono::hours age{};
  };

  explicit FakeBucket(Size size, std::vector<Upload> uploads = {});

  // The keys of the uploads that were given up, ascending.
  std::vector<std::string> aborted() const;

  std::string endpoint() const { return proxy_.endpoint(); }
  // Since the last call.
  Counts take_counts();
  // Ascending.
  std::string backup_id(unsigned number) const;
  std::string wal_name(unsigned number) const;
  std::string backup_info(unsigned number) const;

 private:
  std::string answer(const std::string& head);
  std::string listing(const std::string& query);
  std::string list_uploads(const std::string& prefix) const;
  std::string object(const std::string& method, const std::string& key);
  std::string key_at(std::uint64_t index) const;
  std::uint64_t first_at_or_behind(std::string_view key) const;

  const Size size_;
  mutable std::mutex mutex_;
  std::vector<Upload> uploads_;
  std::vector<std::string> aborted_;
  std::atomic<unsigned> pages_ = 0;
  std::atomic<unsigned> infos_ = 0;
  std::atomic<unsigned> others_ = 0;
  // The last member: its threads use the others.
  StoreProxy proxy_;
};

}  // namespace barman::test
