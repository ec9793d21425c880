// What parses is written again as text that parses to the same value.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/error.h"
#include "catalogue/python_literal.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace barman::catalogue;
  PythonValue value;
  try {
    value = parse_python({reinterpret_cast<const char*>(data), size});
  } catch (const barman::Error&) {
    return 0;
  }
  // Outside of the try block: what we wrote ourselves must be readable.
  const std::string once = repr_python(value);
  if (repr_python(parse_python(once)) != once) std::abort();
  return 0;
}
