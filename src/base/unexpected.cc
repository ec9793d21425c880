#include "base/unexpected.h"

#include <cstdlib>
#include <memory>
#include <new>
#include <string>
#include <typeinfo>

#include <cxxabi.h>

namespace barman {

Error as_error(const std::exception& error) {
  if (const auto* ours = dynamic_cast<const Error*>(&error)) return *ours;
  if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr)
    return {ErrorKind::internal, "out of memory"};
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> name(
      abi::__cxa_demangle(typeid(error).name(), nullptr, nullptr, &status), &std::free);
  return {ErrorKind::internal,
          std::string(error.what()) + " (" + (name ? name.get() : typeid(error).name()) + ")"};
}

}  // namespace barman
