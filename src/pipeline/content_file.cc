#include "pipeline/content_file.h"

#include <sys/stat.h>

#include <utility>

#include <fmt/format.h>

#include "base/error.h"

namespace barman::pipeline {
namespace {

class LocalFile final : public ContentFile {
 public:
  LocalFile(Fd file, std::filesystem::path path) : file_(std::move(file)), path_(std::move(path)) {}

  std::size_t read_at(std::uint64_t offset, MutableBytes buffer) override {
    return read_full_at(file_, buffer, offset, path_);
  }
  std::uint64_t size_bytes() const override {
    struct stat status = {};
    if (::fstat(file_.get(), &status) != 0) {
      throw_errno(fmt::format("cannot look at \"{}\"", path_.string()));
    }
    return static_cast<std::uint64_t>(status.st_size);
  }
  const Fd* descriptor() const override { return &file_; }

 private:
  const Fd file_;
  const std::filesystem::path path_;
};

}  // namespace

std::unique_ptr<ContentFile> make_local_file(Fd file, std::filesystem::path path) {
  return std::make_unique<LocalFile>(std::move(file), std::move(path));
}

}  // namespace barman::pipeline
