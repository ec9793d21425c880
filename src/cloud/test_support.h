// For unit tests of this folder.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "base/test_support.h"
#include "catalogue/bucket_test_support.h"
#include "cloud/bucket_names.h"
#include "storage/local_storage.h"

namespace barman::cloud {

using catalogue::LocalBucket;

// Another storage, for those who change one thing of it.
class PassingStorage : public storage::Storage {
 public:
  explicit PassingStorage(storage::Storage& storage) : storage_(storage) {}

  std::unique_ptr<pipeline::Sink> create(const std::string& key,
                                         storage::IfPresent if_present) override {
    return storage_.create(key, if_present);
  }
  std::unique_ptr<pipeline::ContentFile> open(const std::string& key) const override {
    return storage_.open(key);
  }
  std::optional<storage::ObjectFacts> find(const std::string& key) const override {
    return storage_.find(key);
  }
  void list(std::string_view prefix, const storage::ObjectVisitor& visitor) const override {
    storage_.list(prefix, visitor);
  }
  void remove(std::span<const std::string> keys) override { storage_.remove(keys); }
  std::string describe(const std::string& key) const override { return storage_.describe(key); }

 private:
  storage::Storage& storage_;
};

// The program is killed at its n-th request (1 = the first): after half of a removal, or after all
// of the request. No later one is done.
class KilledStorage final : public PassingStorage {
 public:
  enum class When { half, after };
  KilledStorage(storage::Storage& storage, std::uint64_t dies_at, When when)
      : PassingStorage(storage), dies_at_(dies_at), when_(when) {}

  bool has_died() const { return requests_ >= dies_at_; }

  std::unique_ptr<pipeline::Sink> create(const std::string& key,
                                         storage::IfPresent if_present) override {
    return std::make_unique<NewObject>(*this, PassingStorage::create(key, if_present));
  }
  std::unique_ptr<pipeline::ContentFile> open(const std::string& key) const override {
    std::unique_ptr<pipeline::ContentFile> file;
    request([] {}, [&] { file = PassingStorage::open(key); });
    return file;
  }
  std::optional<storage::ObjectFacts> find(const std::string& key) const override {
    std::optional<storage::ObjectFacts> facts;
    request([] {}, [&] { facts = PassingStorage::find(key); });
    return facts;
  }
  void list(std::string_view prefix, const storage::ObjectVisitor& visitor) const override {
    request([] {}, [&] { PassingStorage::list(prefix, visitor); });
  }
  void remove(std::span<const std::string> keys) override {
    request([&] { PassingStorage::remove(keys.first(keys.size() / 2)); },
            [&] { PassingStorage::remove(keys); });
  }

 private:
  class NewObject final : public pipeline::Sink {
   public:
    NewObject(const KilledStorage& killed, std::unique_ptr<pipeline::Sink> sink)
        : killed_(killed), sink_(std::move(sink)) {}
    void write(Bytes data) override { sink_->write(data); }
    void finish() override {
      killed_.request([] {}, [&] { sink_->finish(); });
    }

   private:
    const KilledStorage& killed_;
    std::unique_ptr<pipeline::Sink> sink_;
  };

  template <typename Half, typename All>
  void request(const Half& half, const All& all) const {
    const std::uint64_t number = ++requests_;
    if (number < dies_at_) return all();
    if (number == dies_at_ && when_ == When::half) half();
    if (number == dies_at_ && when_ == When::after) all();
    throw Error(ErrorKind::io, "the program is killed");
  }

  const std::uint64_t dies_at_;
  const When when_;
  mutable std::atomic<std::uint64_t> requests_ = 0;
};

}  // namespace barman::cloud
