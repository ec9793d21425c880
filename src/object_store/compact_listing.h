// What a bucket has listed, in little memory: a million objects are some 30 MB, since the names of
// neighbours begin alike. Pages may overlap, and come in any order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <string>

#include "storage/storage.h"

namespace barman::object_store {

class CompactListing {
 public:
  // Keys, sizes and times are kept; ObjectFacts::stored_key is not.
  void add(const storage::ObjectFacts& object);
  // Ascending by key, each key once. Of a listing that came in order nothing is held unpacked.
  void visit(const storage::ObjectVisitor& visitor) const;

  std::size_t size_bytes() const;

 private:
  class Reader;

  void put_number(std::uint64_t number);

  std::list<std::string> chunks_;
  std::string last_key_;
  std::size_t count_ = 0;
  bool is_sorted_ = true;
};

}  // namespace barman::object_store
