// Storage for tests: in memory, and around any other one that fails where it is told to.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "storage/storage.h"

namespace barman::storage {

// Driver without a disk. It is gone with the object.
class MemoryStorage final : public Storage {
 public:
  std::unique_ptr<pipeline::Sink> create(const std::string& key, IfPresent if_present) override {
    require_key(key, kName);
    return std::make_unique<NewObject>(*this, key, if_present);
  }
  std::unique_ptr<pipeline::ContentFile> open(const std::string& key) const override {
    require_key(key, kName);
    const std::lock_guard lock(mutex_);
    const auto found = objects_.find(key);
    if (found == objects_.end()) {
      throw Error(ErrorKind::not_found, describe(key) + " does not exist");
    }
    return std::make_unique<File>(found->second.content);
  }
  std::optional<ObjectFacts> find(const std::string& key) const override {
    require_key(key, kName);
    const std::lock_guard lock(mutex_);
    const auto found = objects_.find(key);
    if (found == objects_.end()) return std::nullopt;
    return facts_of(*found);
  }
  // The visitor may ask and change the storage.
  void list(std::string_view prefix, const ObjectVisitor& visitor) const override {
    require_prefix(prefix, kName);
    std::map<std::string, Object> objects;
    {
      const std::lock_guard lock(mutex_);
      objects = objects_;
    }
    for (auto it = objects.lower_bound(std::string(prefix)); it != objects.end(); ++it) {
      if (!it->first.starts_with(prefix)) return;
      visitor(facts_of(*it));
    }
  }
  void remove(std::span<const std::string> keys) override {
    for (const std::string& key : keys) {
      require_key(key, kName);
      const std::lock_guard lock(mutex_);
      objects_.erase(key);
    }
  }
  std::string describe(const std::string& key) const override {
    return fmt::format("\"memory:{}\"", key);
  }

 private:
  static constexpr const char* kName = "\"memory:\"";

  struct Object {
    std::shared_ptr<const std::string> content;
    std::chrono::system_clock::time_point time;
  };

  class File final : public pipeline::ContentFile {
   public:
    explicit File(std::shared_ptr<const std::string> content) : content_(std::move(content)) {}
    std::size_t read_at(std::uint64_t offset, MutableBytes buffer) override {
      if (offset >= content_->size()) return 0;
      const Bytes rest = as_bytes(*content_).subspan(static_cast<std::size_t>(offset));
      const std::size_t size = std::min(rest.size(), buffer.size());
      std::copy_n(rest.begin(), size, buffer.begin());
      return size;
    }
    std::uint64_t size_bytes() const override { return content_->size(); }

   private:
    std::shared_ptr<const std::string> content_;
  };

  class NewObject final : public pipeline::Sink {
   public:
    NewObject(MemoryStorage& storage, std::string key, IfPresent if_present)
        : storage_(storage), key_(std::move(key)), if_present_(if_present) {}
    void write(Bytes data) override { content_ += as_text(data); }
    void finish() override {
      const std::lock_guard lock(storage_.mutex_);
      if (if_present_ == IfPresent::refuse && storage_.objects_.contains(key_)) {
        throw Error(ErrorKind::conflict, storage_.describe(key_) + " exists already");
      }
      storage_.objects_[key_] = {std::make_shared<const std::string>(std::move(content_)),
                                 std::chrono::system_clock::now()};
    }

   private:
    MemoryStorage& storage_;
    const std::string key_;
    const IfPresent if_present_;
    std::string content_;
  };

  static ObjectFacts facts_of(const std::pair<const std::string, Object>& object) {
    const auto since =
        std::chrono::duration_cast<std::chrono::nanoseconds>(object.second.time.time_since_epoch());
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(since);
    return {.key = object.first,
            .size_bytes = object.second.content->size(),
            .mtime_seconds = seconds.count(),
            .mtime_nanoseconds = (since - seconds).count()};
  }

  mutable std::mutex mutex_;
  std::map<std::string, Object> objects_;
};

// Counts what is done to another storage (each create, write, finish, open, read, find, list,
// remove, and prepare and publish of its directory) and makes the n-th of these fail, once: before
// anything of it is done, with `cut` after half of it (a write of half the bytes, a removal of half
// the names), or with `late` after all of it, as when an answer is lost. For several threads, of
// which one meets the fault.
class FaultyStorage final : public Storage, public LocalDirectory {
 public:
  enum class Fault { fail, cut, late };

  // `fails_at` counts from 1; 0 = never.
  FaultyStorage(Storage& storage, std::uint64_t fails_at, Fault fault)
      : storage_(storage), fails_at_(fails_at), fault_(fault) {}

  std::uint64_t operations() const { return operations_; }
  bool has_failed() const { return fails_at_ > 0 && operations_ >= fails_at_; }

  std::unique_ptr<pipeline::Sink> create(const std::string& key, IfPresent if_present) override {
    count();
    return std::make_unique<NewObject>(*this, storage_.create(key, if_present));
  }
  std::unique_ptr<pipeline::ContentFile> open(const std::string& key) const override {
    count();
    return std::make_unique<File>(*this, storage_.open(key));
  }
  std::optional<ObjectFacts> find(const std::string& key) const override {
    count();
    return storage_.find(key);
  }
  void list(std::string_view prefix, const ObjectVisitor& visitor) const override {
    count();
    storage_.list(prefix, visitor);
  }
  void remove(std::span<const std::string> keys) override {
    const auto all = [&] { storage_.remove(keys); };
    count([&] { storage_.remove(keys.first(keys.size() / 2)); }, all);
    all();
  }
  std::string describe(const std::string& key) const override { return storage_.describe(key); }
  const LocalDirectory* local() const override {
    return storage_.local() == nullptr ? nullptr : this;
  }
  std::filesystem::path path_of(const std::string& key) const override {
    return storage_.local()->path_of(key);
  }
  std::filesystem::path prepare(const std::string& key) const override {
    count();
    return storage_.local()->prepare(key);
  }
  void publish(std::span<const std::string> keys) const override {
    const auto all = [&] { storage_.local()->publish(keys); };
    count([&] { storage_.local()->publish(keys.first(keys.size() / 2)); }, all);
    all();
  }

 private:
  class NewObject final : public pipeline::Sink {
   public:
    NewObject(const FaultyStorage& faults, std::unique_ptr<pipeline::Sink> sink)
        : faults_(faults), sink_(std::move(sink)) {}
    void write(Bytes data) override {
      faults_.count([&] { sink_->write(data.first(data.size() / 2)); }, [] {});
      sink_->write(data);
    }
    void finish() override {
      const auto all = [&] { sink_->finish(); };
      faults_.count([] {}, all);
      all();
    }

   private:
    const FaultyStorage& faults_;
    std::unique_ptr<pipeline::Sink> sink_;
  };

  class File final : public pipeline::ContentFile {
   public:
    File(const FaultyStorage& faults, std::unique_ptr<pipeline::ContentFile> file)
        : faults_(faults), file_(std::move(file)) {}
    std::size_t read_at(std::uint64_t offset, MutableBytes buffer) override {
      faults_.count();
      return file_->read_at(offset, buffer);
    }
    std::uint64_t size_bytes() const override { return file_->size_bytes(); }

   private:
    const FaultyStorage& faults_;
    std::unique_ptr<pipeline::ContentFile> file_;
  };

  template <typename Half, typename All>
  void count(const Half& half, const All& all) const {
    if (++operations_ != fails_at_) return;
    if (fault_ == Fault::cut) half();
    if (fault_ == Fault::late) all();
    throw Error(ErrorKind::io, "the storage fails for a test");
  }
  void count() const {
    count([] {}, [] {});
  }

  Storage& storage_;
  const std::uint64_t fails_at_;
  const Fault fault_;
  mutable std::atomic<std::uint64_t> operations_ = 0;
};

// Hides that objects are files: what a bucket is like, on a disk.
class DistantStorage final : public Storage {
 public:
  explicit DistantStorage(Storage& storage) : storage_(storage) {}
  std::unique_ptr<pipeline::Sink> create(const std::string& key, IfPresent if_present) override {
    return storage_.create(key, if_present);
  }
  std::unique_ptr<pipeline::ContentFile> open(const std::string& key) const override {
    return std::make_unique<File>(storage_.open(key));
  }
  std::optional<ObjectFacts> find(const std::string& key) const override {
    return storage_.find(key);
  }
  void list(std::string_view prefix, const ObjectVisitor& visitor) const override {
    storage_.list(prefix, visitor);
  }
  void remove(std::span<const std::string> keys) override { storage_.remove(keys); }
  std::string describe(const std::string& key) const override { return storage_.describe(key); }

 private:
  class File final : public pipeline::ContentFile {
   public:
    explicit File(std::unique_ptr<pipeline::ContentFile> file) : file_(std::move(file)) {}
    std::size_t read_at(std::uint64_t offset, MutableBytes buffer) override {
      return file_->read_at(offset, buffer);
    }
    std::uint64_t size_bytes() const override { return file_->size_bytes(); }

   private:
    std::unique_ptr<pipeline::ContentFile> file_;
  };

  Storage& storage_;
};

// What another one is asked, counted.
class CountingStorage final : public Storage {
 public:
  explicit CountingStorage(Storage& storage) : storage_(storage) {}

  struct Counts {
    unsigned lists = 0;
    unsigned opens = 0;
    unsigned others = 0;
    friend bool operator==(const Counts&, const Counts&) = default;
  };
  // Since the last call.
  Counts take_counts() {
    return {
        .lists = lists_.exchange(0), .opens = opens_.exchange(0), .others = others_.exchange(0)};
  }

  std::unique_ptr<pipeline::Sink> create(const std::string& key, IfPresent if_present) override {
    ++others_;
    return storage_.create(key, if_present);
  }
  std::unique_ptr<pipeline::ContentFile> open(const std::string& key) const override {
    ++opens_;
    return storage_.open(key);
  }
  std::optional<ObjectFacts> find(const std::string& key) const override {
    ++others_;
    return storage_.find(key);
  }
  void list(std::string_view prefix, const ObjectVisitor& visitor) const override {
    ++lists_;
    storage_.list(prefix, visitor);
  }
  void remove(std::span<const std::string> keys) override {
    ++others_;
    storage_.remove(keys);
  }
  std::string describe(const std::string& key) const override { return storage_.describe(key); }

 private:
  Storage& storage_;
  mutable std::atomic<unsigned> lists_ = 0;
  mutable std::atomic<unsigned> opens_ = 0;
  mutable std::atomic<unsigned> others_ = 0;
};

}  // namespace barman::storage
