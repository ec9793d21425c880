// Fields of a record's content, one after the other. Internal to wal/.
#pragma once

#include <cstdint>
#include <cstring>

#include "base/fd.h"

namespace barman::wal {

// Reads fields one after the other; what is not there makes it bad for good.
class RecordFields {
 public:
  explicit RecordFields(Bytes data) : data_(data) {}

  template <typename T>
  T take() {
    T value{};
    if (!skip(0) || data_.size() < sizeof value) {
      is_bad_ = true;
      return value;
    }
    std::memcpy(&value, data_.data(), sizeof value);
    data_ = data_.subspan(sizeof value);
    return value;
  }
  bool skip(std::uint64_t size) {
    if (size > data_.size()) is_bad_ = true;
    if (!is_bad_) data_ = data_.subspan(static_cast<std::size_t>(size));
    return !is_bad_;
  }
  bool is_bad() const { return is_bad_; }
  Bytes rest() const { return data_; }

 private:
  Bytes data_;
  bool is_bad_ = false;
};

}  // namespace barman::wal
