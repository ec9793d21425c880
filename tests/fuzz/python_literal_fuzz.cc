// What parses is written again as text that parses to the same value.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/error.h"
#include "catalogue/python_literal.h"
#include "fuzz_target.h"

BARMAN_FUZZ_TARGET(python_literal) {
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
