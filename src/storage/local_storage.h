// Storage as files below one directory of this host, with the names that Barman gives them.
//
// Directories are made when the first object comes, and go with the last one. No link is followed
// where an object is looked for; directories above it may be links. What a crash leaves are files
// that end in ".tmp", which are no objects.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "storage/storage.h"

namespace barman::storage {

class LocalStorage final : public Storage, public LocalDirectory {
 public:
  // The directory may be missing: it holds nothing then. New files get `mode` & ~umask.
  explicit LocalStorage(std::filesystem::path directory, mode_t mode = 0600);

  std::unique_ptr<pipeline::Sink> create(const std::string& key, IfPresent if_present) override;
  std::unique_ptr<pipeline::ContentFile> open(const std::string& key) const override;
  std::optional<ObjectFacts> find(const std::string& key) const override;
  void list(std::string_view prefix, const ObjectVisitor& visitor) const override;
  void remove(std::span<const std::string> keys) override;
  std::string describe(const std::string& key) const override;
  const LocalDirectory* local() const override { return this; }

  std::filesystem::path path_of(const std::string& key) const override;
  std::filesystem::path prepare(const std::string& key) const override;
  void publish(std::span<const std::string> keys) const override;

 private:
  std::filesystem::path directory_;
  mode_t mode_;
};

}  // namespace barman::storage
