#include "stored/sequential_tree.h"

#include <fmt/format.h>

#include "base/error.h"
#include "stored/archive_tree.h"
#include "stored/member_feeder.h"

namespace barman::stored {

void SequentialTree::read_through(const ContentVisitor& visit) const {
  visit(archive_root(archive_), {});
  MemberFeeder feeder(archive_.path.string(), visit);
  read_archive_sequentially(archive_, feeder, {.interrupt = interrupt_, .cipher = cipher_});
}

void SequentialTree::walk(const EntryVisitor& visit) const {
  read_through([&](const Entry& entry, const ContentOpener&) { visit(entry); });
}

bool SequentialTree::has_file(const std::string& path) const {
  throw Error(ErrorKind::internal, fmt::format("\"{}\" has no random access", describe(path)));
}

std::unique_ptr<ContentFile> SequentialTree::open(const std::string& path) const {
  throw Error(ErrorKind::internal, fmt::format("\"{}\" has no random access", describe(path)));
}

std::string SequentialTree::describe(const std::string& path) const {
  return archive_.path.string() + ":" + path;
}

}  // namespace barman::stored
