#include "wal_archive/archive_bucket.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <utility>

#include "base/error.h"
#include "compression/algorithm.h"
#include "wal/wal_file_name.h"

namespace barman::wal_archive {
namespace {

constexpr std::string_view kEncryptedSuffix = ".gpg";
constexpr std::string_view kEncryption = "gpg";

std::string_view name_part(std::string_view key) { return key.substr(key.rfind('/') + 1); }

// "0000000100000000/": of history files "".
std::string directory_part(const std::string& key) {
  const std::size_t slash = key.rfind('/');
  return slash == std::string::npos ? std::string() : key.substr(0, slash + 1);
}

std::string suffix_for(const WalEncoding& encoding) {
  if (encoding.encryption) return std::string(kEncryptedSuffix);
  const auto algorithm = compression::parse_algorithm(encoding.compression.value_or(""));
  return algorithm ? std::string(compression::suffix_of(*algorithm)) : std::string();
}

// Lower is better.
int rank_of_form(const WalEncoding& encoding) {
  if (encoding.encryption) return 2;
  return encoding.compression ? 1 : 0;
}

// Objects of names that begin alike come side by side, but not in the order of the names:
// "X.gz" is told behind "X.00000028.backup".
class FormChooser {
 public:
  explicit FormChooser(const storage::ObjectVisitor& visitor) : visitor_(visitor) {}

  void add(const storage::ObjectFacts& object) {
    StoredName name = parse_stored_name(object.key);
    const std::size_t directory_size = name.key.size() - name_part(name.key).size();
    const std::string stem = name.key.substr(0, name.key.find('.', directory_size));
    if (stem != stem_) tell();
    stem_ = stem;
    Choice choice{.facts = object, .rank = rank_of_form(name.encoding)};
    choice.facts.stored_key = object.key;
    choice.facts.key = name.key;
    const auto [place, is_new] = choices_.emplace(std::move(name.key), choice);
    if (!is_new && choice.rank < place->second.rank) place->second = std::move(choice);
  }
  void tell() {
    for (const auto& [key, choice] : choices_) visitor_(choice.facts);
    choices_.clear();
  }

 private:
  struct Choice {
    storage::ObjectFacts facts;
    int rank = 0;
  };

  const storage::ObjectVisitor& visitor_;
  std::string stem_;
  std::map<std::string, Choice> choices_;
};

}  // namespace

StoredName parse_stored_name(std::string_view stored_key) {
  std::string_view rest = stored_key;
  StoredName name;
  if (rest.ends_with(kEncryptedSuffix)) {
    rest.remove_suffix(kEncryptedSuffix.size());
    name.encoding.encryption = kEncryption;
  } else if (const auto algorithm = compression::take_suffix(rest)) {
    name.encoding.compression = compression::to_text(*algorithm);
  }
  // Of other objects the name is all that is known.
  if (!wal::parse_wal_file_name(name_part(rest))) return {.key = std::string(stored_key)};
  name.key = rest;
  return name;
}

bool has_coded_name(const storage::ObjectFacts& object) {
  return !object.stored_key.empty() &&
         parse_stored_name(object.stored_key).encoding != WalEncoding();
}

// Waits for the first bytes, which say what its name is.
class ArchiveBucket::NewObject final : public pipeline::Sink {
 public:
  NewObject(ArchiveBucket& bucket, std::string key, storage::IfPresent if_present)
      : bucket_(bucket), key_(std::move(key)), if_present_(if_present) {}

  void write(Bytes data) override {
    if (sink_) return sink_->write(data);
    beginning_.insert(beginning_.end(), data.begin(), data.end());
    if (beginning_.size() >= kWalEncodingBytes) begin();
  }
  void finish() override {
    if (!sink_) begin();
    sink_->finish();
    if (if_present_ == storage::IfPresent::replace) remove_other_forms();
  }

 private:
  void begin() {
    stored_key_ = key_ + suffix_for(detect_wal_encoding(beginning_));
    sink_ = bucket_.objects_->create(stored_key_, if_present_);
    if (!beginning_.empty()) sink_->write(beginning_);
    beginning_.clear();
  }
  // One of them might count more than this one.
  void remove_other_forms() {
    std::vector<std::string> others =
        bucket_.list_forms(key_, [this](const std::string& key) { return key == key_; });
    std::erase(others, stored_key_);
    if (!others.empty()) bucket_.objects_->remove(others);
  }

  ArchiveBucket& bucket_;
  const std::string key_;
  const storage::IfPresent if_present_;
  std::vector<std::byte> beginning_;
  std::string stored_key_;
  std::unique_ptr<pipeline::Sink> sink_;
};

std::unique_ptr<pipeline::Sink> ArchiveBucket::create(const std::string& key,
                                                      storage::IfPresent if_present) {
  storage::require_key(key, describe(""));
  return std::make_unique<NewObject>(*this, key, if_present);
}

std::unique_ptr<pipeline::ContentFile> ArchiveBucket::open(const std::string& key) const {
  const auto facts = find(key);
  if (!facts) throw Error(ErrorKind::not_found, describe(key) + " does not exist");
  return objects_->open(facts->stored_key);
}

std::optional<storage::ObjectFacts> ArchiveBucket::find(const std::string& key) const {
  storage::require_key(key, describe(""));
  std::optional<storage::ObjectFacts> found;
  list(key, [&](const storage::ObjectFacts& object) {
    if (object.key == key) found = object;
  });
  return found;
}

void ArchiveBucket::list(std::string_view prefix, const storage::ObjectVisitor& visitor) const {
  FormChooser chooser(visitor);
  objects_->list(prefix, [&](const storage::ObjectFacts& object) { chooser.add(object); });
  chooser.tell();
}

std::vector<std::string> ArchiveBucket::list_forms(
    std::string_view prefix, const std::function<bool(const std::string& key)>& wanted) const {
  std::vector<std::string> forms;
  objects_->list(prefix, [&](const storage::ObjectFacts& object) {
    if (wanted(parse_stored_name(object.key).key)) forms.push_back(object.key);
  });
  return forms;
}

void ArchiveBucket::remove(std::span<const std::string> keys) {
  std::map<std::string, std::set<std::string, std::less<>>> by_directory;
  for (const std::string& key : keys) {
    storage::require_key(key, describe(""));
    by_directory[directory_part(key)].insert(key);
  }
  std::vector<std::string> forms;
  for (const auto& entry : by_directory) {
    const auto& names = entry.second;
    // Without a directory: history files, which are never many.
    const bool is_alone = names.size() == 1 || entry.first.empty();
    const auto prefixes = is_alone ? std::vector<std::string>(names.begin(), names.end())
                                   : std::vector<std::string>{entry.first};
    for (const std::string& prefix : prefixes) {
      for (std::string& form :
           list_forms(prefix, [&](const std::string& key) { return names.contains(key); })) {
        forms.push_back(std::move(form));
      }
    }
  }
  std::span<const std::string> rest = forms;
  while (!rest.empty()) {
    const std::size_t size =
        removed_at_once_ == 0 ? rest.size() : std::min(rest.size(), removed_at_once_);
    objects_->remove(rest.first(size));
    rest = rest.subspan(size);
  }
}

}  // namespace barman::wal_archive
