// What an interrupted piece of work leaves behind.
#pragma once

#include <string>
#include <utility>

#include "base/error.h"

namespace barman {

// When `function` is interrupted, its Error gets `remains` as its hint, unless it has one: what is
// left behind, and what goes on with it.
template <typename Function>
decltype(auto) telling_what_remains(const std::string& remains, Function&& function) {
  try {
    return std::forward<Function>(function)();
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::interrupted || !error.hint().empty()) throw;
    throw Error(error.kind(), error.describe(), remains);
  }
}

}  // namespace barman
