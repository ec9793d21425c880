#include "wal_archive/received_content.h"

#include <sys/stat.h>

#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "base/error.h"
#include "compression/stored_file.h"

namespace barman::wal_archive {
namespace fs = std::filesystem;
namespace {

using wal::ContentCheck;
using wal::ContentProblem;

class CheckSink final : public pipeline::Sink {
 public:
  CheckSink(ContentCheck& check, const fs::path& path) : check_(check), path_(path) {}
  void write(Bytes data) override {
    check_.add(data);
    if (check_.size_bytes() <= compression::kMaxContentSize) return;
    throw Error(ErrorKind::corrupt,
                fmt::format("\"{}\" is larger than any WAL file", path_.string()));
  }
  void finish() override {}

 private:
  ContentCheck& check_;
  const fs::path& path_;
};

void check_plain(const Fd& file, const fs::path& path, ContentCheck& check) {
  struct stat status = {};
  if (::fstat(file.get(), &status) != 0) throw_errno("cannot access \"" + path.string() + "\"");
  const auto size_bytes = static_cast<std::uint64_t>(status.st_size);
  std::vector<std::byte> begin(std::min(check.wanted_bytes(), size_bytes));
  check.add(Bytes(begin).first(read_full_at(file, begin, 0, path)));
  check.set_size(size_bytes);
}

}  // namespace

std::optional<ContentProblem> find_content_problem(const Fd& file, const fs::path& path,
                                                   const wal::WalFileName& name,
                                                   const WalStoredForm& form,
                                                   const WalCoding& coding,
                                                   std::optional<std::uint64_t> system_id) {
  if (form.encryption) return std::nullopt;
  ContentCheck check(name, {.system_id = system_id});
  if (form.is_plain()) {
    check_plain(file, path, check);
    return check.find_problem();
  }
  CheckSink sink(check, path);
  // Damage is an answer here; a filter that is not configured is none.
  try {
    coding.decode(form, file, path, sink);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::config) return std::nullopt;
    if (error.kind() != ErrorKind::corrupt) throw;
    return ContentProblem{ContentProblem::Fault::unfinished, error.message()};
  }
  return check.find_problem();
}

}  // namespace barman::wal_archive
