#include "cloud/wal_objects.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <exception>
#include <map>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/log.h"
#include "base/log_components.h"
#include "base/worker_pool.h"
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

// PostgreSQL keeps a file that is refused, and does not reuse it for other WAL.
void require_wal(const WalSource& source, const WalUpload& upload) {
  wal::ContentCheck check(upload.name, {.system_id = {}, .may_be_unwritten = false});
  std::vector<std::byte> begin(
      static_cast<std::size_t>(std::min(check.wanted_bytes(), source.size_bytes)));
  begin.resize(read_full_at(source.file, begin, 0, upload.file));
  check.add(begin);
  check.set_size(source.size_bytes);
  const auto problem = check.find_problem();
  if (!problem) return;
  throw Error(
      ErrorKind::corrupt,
      fmt::format("\"{}\" is not what its name says: {}", upload.file.string(), problem->text),
      "It is not archived. Look who has written it, and at the disk of pg_wal.");
}

// As `corrupt` errors of decompression put it between quotes.
std::string name_of(const storage::Storage& storage, const std::string& key) {
  std::string name = storage.describe(key);
  const bool is_quoted = name.size() > 1 && name.front() == '"' && name.back() == '"';
  return is_quoted ? name.substr(1, name.size() - 2) : name;
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

// The objects that hold a file, compressed or not: of the directory of its WAL.
std::vector<WalObject> list_forms(const storage::Storage& storage, const BucketLayout& layout,
                                  const wal::WalFileName& name) {
  std::vector<WalObject> forms;
  const std::string directory = layout.wal_directory(name);
  storage.list(layout.wal_key(name, std::nullopt), [&](const storage::ObjectFacts& facts) {
    if (facts.key.find('/', directory.size()) != std::string::npos) return;
    auto parsed = parse_wal_object(facts.key);
    if (!parsed || parsed->name.name != name.name) return;
    forms.push_back({.key = facts.key, .name = *std::move(parsed)});
  });
  return forms;
}

// Looks for the forms of a file in a thread of its own, while the file is read and compressed.
class FormSearch {
 public:
  FormSearch(const storage::Storage& storage, const BucketLayout& layout,
             const wal::WalFileName& name) {
    worker_.submit([&] {
      try {
        forms_ = list_forms(storage, layout, name);
      } catch (const Error& error) {  // Credentials that can write only are a protection.
        if (error.kind() != ErrorKind::permission) throw;
        log::info(log::kWalArchiverComponent, "cannot look for other forms of {}: {}", name.name,
                  error.describe());
      }
    });
  }
  // Waits, once.
  const std::vector<WalObject>& forms() {
    if (!is_over_) worker_.wait();
    is_over_ = true;
    return forms_;
  }

 private:
  std::vector<WalObject> forms_;
  bool is_over_ = false;
  WorkerPool worker_{1};  // ends before what it writes to
};

// Makes the object visible only when no form of the file is there.
class UnlessThere final : public pipeline::Sink {
 public:
  UnlessThere(pipeline::Sink& next, FormSearch& search) : next_(next), search_(search) {}
  void write(Bytes data) override { next_.write(data); }
  void finish() override {
    if (search_.forms().empty()) next_.finish();
  }

 private:
  pipeline::Sink& next_;
  FormSearch& search_;
};

// Whether the object holds what the file holds. nullopt: it is empty, which no WAL file is.
std::optional<bool> is_same_object(const storage::Storage& storage, const WalObject& object,
                                   const WalSource& source, const fs::path& path) {
  ComparingSink compared(source.file, path);
  const auto file = storage.open(object.key);
  if (file->size_bytes() == 0 && source.size_bytes > 0) return std::nullopt;
  try {
    if (object.name.compression) {
      const auto decompressor = compression::make_decompressor(*object.name.compression, compared,
                                                               name_of(storage, object.key));
      push_object(storage, object.key, *decompressor);
    } else {
      push_object(storage, object.key, compared);
    }
  } catch (const Error& error) {  // A damaged object is not the same; other failures are told.
    if (error.kind() != ErrorKind::corrupt) throw;
    return false;
  }
  return compared.is_same(source.size_bytes);
}

void put_wal(pipeline::Sink& object, const WalSource& source, const WalUpload& upload) {
  if (!upload.compression) return push_source(source, upload.file, object);
  const int level = compression::resolve_level(*upload.compression, upload.level);
  push_source(source, upload.file,
              *compression::make_compressor(*upload.compression, level, object));
}

// One of these forms is the file, and all of them hold it. Empty ones, which a failed upload of
// Barman leaves, do not count.
bool is_in(const std::vector<WalObject>& forms, const storage::Storage& storage,
           const WalSource& source, const fs::path& path) {
  bool is_there = false;
  for (const WalObject& form : forms) {
    const auto is_same = is_same_object(storage, form, source, path);
    if (!is_same) continue;
    is_there = true;
    if (*is_same) continue;
    throw Error(
        ErrorKind::conflict,
        fmt::format("{} holds another content than \"{}\"", storage.describe(form.key),
                    path.string()),
        "Two clusters archive to the same place: give each its own server name, or move the "
        "old WAL away.");
  }
  return is_there;
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

// Looks at what goes through it.
class ContentTap final : public pipeline::Sink {
 public:
  ContentTap(wal::WalFileName name, std::optional<std::uint64_t> system_id, pipeline::Sink& next)
      : check_(std::move(name), {.system_id = system_id, .may_be_unwritten = false}), next_(next) {}
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
  const WalObject own{.key = layout.wal_key(upload.name, upload.compression),
                      .name = {.name = upload.name, .compression = upload.compression}};
  const WalSource source = open_wal_source(upload.file);
  require_wal(source, upload);
  FormSearch search(storage, layout, upload.name);
  std::vector<WalObject> forms;
  try {
    const auto object = storage.create(own.key, storage::IfPresent::refuse);
    UnlessThere guarded(*object, search);
    put_wal(guarded, source, upload);
    forms = search.forms();
    if (forms.empty()) return Archived::stored;
  } catch (const Error& error) {  // Somebody has sent it at the same time, or may not be seen.
    if (error.kind() != ErrorKind::conflict) throw;
    forms = {own};
  }
  if (is_in(forms, storage, source, upload.file)) return Archived::was_there;
  // Only what a failed upload of Barman has left is there, of this form or of another one.
  const bool is_own_empty = std::any_of(forms.begin(), forms.end(),
                                        [&](const WalObject& form) { return form.key == own.key; });
  const auto object = storage.create(
      own.key, is_own_empty ? storage::IfPresent::replace : storage::IfPresent::refuse);
  put_wal(*object, source, upload);
  return Archived::stored;
}

FoundWalObjects find_wal_objects(const storage::Storage& storage, const BucketLayout& layout,
                                 const WalQuery& query) {
  FoundWalObjects found;
  const bool takes_following = query.following > 0 && query.name.kind == WalFileKind::segment;
  const std::string directory = layout.wal_directory(query.name);
  // Of its beginning only, if nothing else is asked for.
  const std::string prefix = takes_following ? directory : layout.wal_key(query.name, std::nullopt);
  std::vector<WalObject> forms;
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
      return forms.push_back(std::move(object));
    }
    const bool follows = takes_following && object.name.name.kind == WalFileKind::segment &&
                         object.name.name.name > query.name.name;
    if (!follows) return;
    const auto [entry, is_new] = following.emplace(object.name.name.name, object);
    if (!is_new && rank_of(object.name) < rank_of(entry->second.name)) entry->second = object;
  });
  std::stable_sort(forms.begin(), forms.end(), [](const WalObject& a, const WalObject& b) {
    return rank_of(a.name) < rank_of(b.name);
  });
  for (WalObject& form : forms) {
    if (!found.wanted) {
      found.wanted = std::move(form);
    } else if (form.name.name.kind == found.wanted->name.name.kind) {
      found.other_forms.push_back(std::move(form));
    }
  }
  for (auto& [name, object] : following) {
    if (found.following.size() == query.following) break;
    found.following.push_back(std::move(object));
  }
  return found;
}

void fetch_wal_object(const storage::Storage& storage, const WalObject& object, const Fd& target,
                      const fs::path& target_path, std::optional<std::uint64_t> system_id) {
  compression::FdSink file(target.get(), target_path);
  ContentTap content(object.name.name, system_id, file);
  if (object.name.compression) {
    const auto decompressor = compression::make_decompressor(*object.name.compression, content,
                                                             name_of(storage, object.key));
    push_object(storage, object.key, *decompressor);
  } else {
    push_object(storage, object.key, content);
  }
  if (const auto problem = content.find_problem()) {
    throw Error(ErrorKind::corrupt,
                fmt::format("{} is not what its name says: {}", storage.describe(object.key),
                            problem->text),
                "Look who has written it; another copy of the file can be put in its place.");
  }
}

void fetch_wanted_wal(const storage::Storage& storage, const FoundWalObjects& found,
                      const std::function<const Fd&()>& begin, const fs::path& target_path,
                      std::optional<std::uint64_t> system_id) {
  std::exception_ptr refusal;
  const auto is_fetched = [&](const WalObject& object) {
    try {
      fetch_wal_object(storage, object, begin(), target_path, system_id);
      return true;
    } catch (const Error& error) {  // Of this form; another one may be right.
      if (error.kind() != ErrorKind::corrupt || found.other_forms.empty()) throw;
      log::warning(log::kWalArchiverComponent, "{}", error.describe());
      if (!refusal) refusal = std::current_exception();
      return false;
    }
  };
  if (is_fetched(*found.wanted)) return;
  if (std::any_of(found.other_forms.begin(), found.other_forms.end(), is_fetched)) return;
  std::rethrow_exception(refusal);
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
