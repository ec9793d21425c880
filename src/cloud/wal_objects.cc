#include "cloud/wal_objects.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <map>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/log.h"
#include "base/log_components.h"
#include "compression/codec.h"
#include "compression/stored_file.h"
#include "storage/object_text.h"
#include "wal/wal_content.h"

namespace barman::cloud {
namespace fs = std::filesystem;
namespace {

using wal::WalFileKind;

constexpr std::size_t kSourceBuffer = std::size_t{1} << 20;

// An open file that is to be archived.
struct WalSource {
  Fd file;
  std::uint64_t size_bytes = 0;
};

WalSource open_wal_source(const fs::path& path) {
  WalSource source{.file = open_file(path, O_RDONLY, 0600, Links::follow), .size_bytes = 0};
  struct stat status = {};
  if (::fstat(source.file.get(), &status) != 0) {
    throw_errno(fmt::format("cannot look at \"{}\"", path.string()));
  }
  if (!S_ISREG(status.st_mode)) {
    throw Error(ErrorKind::conflict, fmt::format("\"{}\" is no file", path.string()),
                "Name a WAL file, %p of archive_command.");
  }
  source.size_bytes = static_cast<std::uint64_t>(status.st_size);
  return source;
}

// Compares what comes with a file, from its beginning on.
class ComparingSink final : public pipeline::Sink {
 public:
  ComparingSink(const Fd& file, fs::path path) : file_(file), path_(std::move(path)) {}

  void write(Bytes data) override {
    while (!data.empty() && is_same_) {
      std::vector<std::byte> expected(std::min(data.size(), kSourceBuffer));
      const std::size_t size = read_full_at(file_, expected, size_bytes_, path_);
      is_same_ =
          size == expected.size() && std::equal(expected.begin(), expected.end(), data.begin());
      size_bytes_ += size;
      data = data.subspan(expected.size());
    }
  }
  void finish() override {}
  bool is_same(std::uint64_t size_bytes) const { return is_same_ && size_bytes_ == size_bytes; }

 private:
  const Fd& file_;
  const fs::path path_;
  std::uint64_t size_bytes_ = 0;
  bool is_same_ = true;
};

// Finishes the sink only when all of it was read: that makes the object visible.
void push_source(const WalSource& source, const fs::path& path, pipeline::Sink& sink) {
  std::vector<std::byte> buffer(kSourceBuffer);
  std::uint64_t offset = 0;
  while (const std::size_t size = read_full_at(source.file, buffer, offset, path)) {
    sink.write(Bytes(buffer).first(size));
    offset += size;
  }
  if (offset != source.size_bytes) {
    throw Error(ErrorKind::corrupt,
                fmt::format("\"{}\" has changed while it was read", path.string()));
  }
  sink.finish();
}

// Whether the object holds what the file holds. nullopt: it is empty, which no WAL file is.
std::optional<bool> is_same_object(const storage::Storage& storage, const std::string& key,
                                   const WalSource& source, const WalUpload& upload) {
  ComparingSink compared(source.file, upload.file);
  const auto file = storage.open(key);
  if (file->size_bytes() == 0 && source.size_bytes > 0) return std::nullopt;
  try {
    if (upload.compression) {
      const auto decompressor =
          compression::make_decompressor(*upload.compression, compared, storage.describe(key));
      push_object(storage, key, *decompressor);
    } else {
      push_object(storage, key, compared);
    }
  } catch (const Error& error) {  // A damaged object is not the same; other failures are told.
    if (error.kind() != ErrorKind::corrupt) throw;
    return false;
  }
  return compared.is_same(source.size_bytes);
}

void put_wal(storage::Storage& storage, const std::string& key, storage::IfPresent if_present,
             const WalSource& source, const WalUpload& upload) {
  const auto sink = storage.create(key, if_present);
  if (!upload.compression) return push_source(source, upload.file, *sink);
  const int level = compression::resolve_level(*upload.compression, upload.level);
  push_source(source, upload.file,
              *compression::make_compressor(*upload.compression, level, *sink));
}

// 0 = the file itself, 1 = compressed, 2 = unfinished, 3 = unfinished and compressed.
int rank_of(const WalObjectName& name) {
  const int partial = name.name.kind == WalFileKind::partial ? 2 : 0;
  return partial + (name.compression ? 1 : 0);
}

// Whether the object is what is asked for.
bool answers(const WalObjectName& object, const WalQuery& query) {
  if (object.name.name == query.name.name) return true;
  return query.name.kind == WalFileKind::segment && object.name.kind == WalFileKind::partial &&
         object.name.segment() == query.name.name && query.partials == Partials::take;
}

void keep_better(std::optional<WalObject>& best, WalObject object) {
  if (!best || rank_of(object.name) < rank_of(best->name)) best = std::move(object);
}

// Looks at what goes through it.
class ContentTap final : public pipeline::Sink {
 public:
  ContentTap(wal::WalFileName name, pipeline::Sink& next)
      : check_(std::move(name), {}), next_(next) {}
  void write(Bytes data) override {
    check_.add(data);
    next_.write(data);
  }
  void finish() override { next_.finish(); }
  std::optional<wal::ContentProblem> find_problem() const { return check_.find_problem(); }

 private:
  wal::ContentCheck check_;
  pipeline::Sink& next_;
};

}  // namespace

Archived archive_wal_object(storage::Storage& storage, const BucketLayout& layout,
                            const WalUpload& upload) {
  const std::string key = layout.wal_key(upload.name, upload.compression);
  const WalSource source = open_wal_source(upload.file);
  try {
    put_wal(storage, key, storage::IfPresent::refuse, source, upload);
    return Archived::stored;
  } catch (const Error& error) {  // Somebody has sent it before.
    if (error.kind() != ErrorKind::conflict) throw;
  }
  const auto is_same = is_same_object(storage, key, source, upload);
  if (!is_same) {  // What a failed upload of Barman has left.
    put_wal(storage, key, storage::IfPresent::replace, source, upload);
    return Archived::stored;
  }
  if (*is_same) return Archived::was_there;
  throw Error(ErrorKind::conflict,
              fmt::format("{} holds another content than \"{}\"", storage.describe(key),
                          upload.file.string()),
              "Two clusters archive to the same place: give each its own server name, or move the "
              "old WAL away.");
}

FoundWalObjects find_wal_objects(const storage::Storage& storage, const BucketLayout& layout,
                                 const WalQuery& query) {
  FoundWalObjects found;
  const bool takes_following = query.following > 0 && query.name.kind == WalFileKind::segment;
  const std::string directory = layout.wal_directory(query.name);
  // Of its beginning only, if nothing else is asked for.
  const std::string prefix = takes_following ? directory : layout.wal_key(query.name, std::nullopt);
  std::map<std::string, WalObject> following;
  storage.list(prefix, [&](const storage::ObjectFacts& facts) {
    if (facts.key.find('/', directory.size()) != std::string::npos) return;
    auto name = parse_wal_object(facts.key);
    if (!name) {
      log::warning(log::kWalArchiverComponent, "Unknown WAL file: {}", layout.shown(facts.key));
      return;
    }
    WalObject object{.key = facts.key, .name = *std::move(name)};
    if (answers(object.name, query)) {
      log::info(log::kWalArchiverComponent, "Found WAL {} for server {} as {}", query.name.name,
                layout.server_name(), layout.shown(facts.key));
      return keep_better(found.wanted, std::move(object));
    }
    const bool follows = takes_following && object.name.name.kind == WalFileKind::segment &&
                         object.name.name.name > query.name.name;
    if (!follows) return;
    const auto [entry, is_new] = following.emplace(object.name.name.name, object);
    if (!is_new && rank_of(object.name) < rank_of(entry->second.name)) entry->second = object;
  });
  for (auto& [name, object] : following) {
    if (found.following.size() == query.following) break;
    found.following.push_back(std::move(object));
  }
  return found;
}

void fetch_wal_object(const storage::Storage& storage, const WalObject& object, const Fd& target,
                      const fs::path& target_path) {
  compression::FdSink file(target.get(), target_path);
  ContentTap content(object.name.name, file);
  if (object.name.compression) {
    const auto decompressor = compression::make_decompressor(*object.name.compression, content,
                                                             storage.describe(object.key));
    push_object(storage, object.key, *decompressor);
  } else {
    push_object(storage, object.key, content);
  }
  if (const auto problem = content.find_problem()) {
    log::warning(log::kWalArchiverComponent, "{} is not what its name says: {}",
                 storage.describe(object.key), problem->text);
  }
}

std::vector<WalObject> list_wal_objects(const storage::Storage& storage,
                                        const BucketLayout& layout) {
  std::vector<WalObject> objects;
  storage.list(layout.wals_prefix(), [&](const storage::ObjectFacts& facts) {
    if (auto name = parse_wal_object(facts.key)) {
      objects.push_back({.key = facts.key, .name = *std::move(name)});
    }
  });
  return objects;
}

}  // namespace barman::cloud
