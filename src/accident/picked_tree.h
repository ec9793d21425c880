// Some files of a tree that can only be read from its beginning to its end (encrypted, compressed
// in one piece), held in memory, and the sizes of others.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/interrupt.h"
#include "base/progress.h"
#include "stored/content_tree.h"

namespace barman::accident {

class PickedTree final : public stored::ContentTree {
 public:
  using Chooser = std::function<bool(std::string_view path)>;

  // Reads all of `tree`. What `is_held` wants and is larger than 64 MiB is left out; of what
  // `is_listed` wants the size is known.
  PickedTree(const stored::ContentTree& tree, const Chooser& is_held, const Chooser& is_listed,
             Progress& progress, const Interrupt& interrupt);

  // Nothing: it is for who knows the names.
  void walk(const stored::EntryVisitor&) const override {}
  bool has_file(const std::string& path) const override;
  std::unique_ptr<stored::ContentFile> open(const std::string& path) const override;
  std::string describe(const std::string& path) const override { return path; }

 private:
  std::map<std::string, std::string, std::less<>> contents_;
  std::map<std::string, std::uint64_t, std::less<>> sizes_;
};

}  // namespace barman::accident
