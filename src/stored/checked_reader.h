// Reads a file of a backup forward, once, and compares it at the end with what the manifest of that
// backup says. What is skipped is read and digested, too. Fits sources that can only be read from
// end to end.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/digest.h"
#include "stored/content_tree.h"
#include "stored/manifest_index.h"

namespace barman::stored {

class CheckedReader final : public ContentFile {
 public:
  // `name` is for messages. Without `expected` nothing is compared.
  CheckedReader(std::unique_ptr<ContentFile> file, std::string name,
                std::optional<ExpectedFile> expected);

  // Going back to an earlier offset is left to the source, and ends the checking.
  std::size_t read_at(std::uint64_t offset, MutableBytes buffer) override;
  std::uint64_t size_bytes() const override { return file_->size_bytes(); }
  const std::string& name() const { return name_; }
  const std::optional<ExpectedFile>& expected() const { return expected_; }
  // Leaves the forward reading, and its checksum, as they are.
  std::size_t read_aside(std::uint64_t offset, MutableBytes buffer) {
    return file_->read_at(offset, buffer);
  }
  // Fills all of `buffer`; throws `corrupt` when the file is too short.
  void read_exactly(std::uint64_t offset, MutableBytes buffer);
  // Reads what is left; throws `corrupt` when size or checksum are not those of the manifest.
  void finish();

 private:
  void pass_over(std::uint64_t until);

  const std::unique_ptr<ContentFile> file_;
  const std::string name_;
  const std::optional<ExpectedFile> expected_;
  Digest digest_;
  std::uint64_t position_ = 0;
  bool is_checked_ = true;
};

}  // namespace barman::stored
