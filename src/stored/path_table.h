// What is known of many files, by their paths, without the paths: 8 bytes a file for a hash, which
// is good within one process only. Filled first, sealed once, asked then, by several threads at a
// time while nobody changes it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace barman::stored {

inline std::uint64_t hash_of(std::string_view path) { return std::hash<std::string_view>{}(path); }

template <typename Value>
class PathTable {
 public:
  struct Row {
    std::uint64_t path_hash = 0;
    Value value;
  };

  void add(std::string_view path, Value value) {
    rows_.push_back({hash_of(path), std::move(value)});
  }
  // All rows of another one, before it is sealed.
  void take_over(PathTable& other) {
    rows_.insert(rows_.end(), std::make_move_iterator(other.rows_.begin()),
                 std::make_move_iterator(other.rows_.end()));
    other.rows_.clear();
  }
  void seal() {
    std::sort(rows_.begin(), rows_.end(),
              [](const Row& a, const Row& b) { return a.path_hash < b.path_hash; });
  }

  // nullptr when it was not added.
  const Value* find(std::string_view path) const {
    const std::uint64_t hash = hash_of(path);
    const auto row =
        std::lower_bound(rows_.begin(), rows_.end(), hash,
                         [](const Row& a, std::uint64_t value) { return a.path_hash < value; });
    return row == rows_.end() || row->path_hash != hash ? nullptr : &row->value;
  }
  Value* find(std::string_view path) { return const_cast<Value*>(std::as_const(*this).find(path)); }
  // One of two of the same path; nullptr when there are none.
  const Value* find_double() const {
    const auto row = std::adjacent_find(rows_.begin(), rows_.end(), [](const Row& a, const Row& b) {
      return a.path_hash == b.path_hash;
    });
    return row == rows_.end() ? nullptr : &row->value;
  }

  std::size_t size() const { return rows_.size(); }
  // In no order that means anything.
  std::span<const Row> rows() const { return rows_; }
  std::span<Row> rows() { return rows_; }

 private:
  std::vector<Row> rows_;
};

}  // namespace barman::stored
